/**
 * When the records of a topic arrived, by the broker's own clock.
 *
 * The benchmark's topics have `message.timestamp.type=LogAppendTime`, so a record's timestamp is the moment at which the
 * broker appended it. The broker answers "which is the first offset from this time on?" out of its index: how many had
 * arrived by then is the sum over the partitions, and a binary search over time finds when the n-th one did, to the
 * millisecond. Nothing has to watch the topic while something is measured.
 *
 * @module
 */

import type { Admin } from "kafkajs";
import { createTopic, quietClient } from "../support/kafka_admin.ts";
import { waitUntil } from "../support/wait.ts";

/** Partitions of the benchmark's topics, unless said. */
export const PARTITIONS = 4;

/** Seldom enough that a broker at work does not notice. */
const ASK_EVERY_MS = 100;

/** When the records of a topic arrived: milliseconds since 1970. */
export interface Arrivals {
  readonly firstMs: number;
  /** When half of them were there. */
  readonly middleMs: number;
  readonly lastMs: number;
}

/** What may differ from topic to topic. */
export interface TimedTopicOptions {
  /** @default PARTITIONS */
  readonly partitions?: number;
  /** Several topics that are looked at as if they were one, named by numbers from 0 after a hyphen. @default a single one */
  readonly topics?: number;
}

/** A new topic, or several, whose records carry the time at which the broker appended them. */
export class TimedTopic implements AsyncDisposable {
  /** The name of a single one; of several, what stands before the hyphen. */
  readonly name: string;
  readonly #names: readonly string[];
  readonly #admin: Admin;
  readonly #createdMs = Date.now();

  private constructor(name: string, names: readonly string[], admin: Admin) {
    this.name = name;
    this.#names = names;
    this.#admin = admin;
  }

  /** Create a topic of its own name. */
  static async create(brokers: string, title: string, options: TimedTopicOptions = {}): Promise<TimedTopic> {
    const { partitions = PARTITIONS, topics } = options;
    const name = `pg-tide-bench-${title}-${crypto.randomUUID().slice(0, 8)}`;
    const names = topics === undefined ? [name] : Array.from({ length: topics }, (_, i) => `${name}-${i}`);
    for (const each of names) {
      await createTopic(brokers, each, partitions, { "message.timestamp.type": "LogAppendTime" });
    }
    const admin = quietClient(brokers).admin();
    await admin.connect();
    return new TimedTopic(name, names, admin);
  }

  /** How many records it holds. */
  async count(): Promise<number> {
    let count = 0;
    for (const name of this.#names) {
      const offsets = await this.#admin.fetchTopicOffsets(name);
      count += offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
    }
    return count;
  }

  /**
   * Wait until it holds so many records.
   *
   * @throws Error when it holds more, or when they do not come in time
   */
  async holds(wanted: number, timeoutMs: number): Promise<void> {
    const what = `${wanted} records in topic ${this.name}`;
    let count = 0;
    try {
      await waitUntil(async () => (count = await this.count()) >= wanted, {
        what,
        timeoutMs,
        intervalMs: ASK_EVERY_MS * this.#names.length,
      });
    } catch (error) {
      throw new Error(`Cannot measure: ${count} of ${what} after ${timeoutMs} ms`, { cause: error });
    }
    this.#refuseOther(wanted, count);
  }

  /** Check that it holds so many records, no more and no fewer. */
  async holdsExactly(wanted: number): Promise<void> {
    this.#refuseOther(wanted, await this.count());
  }

  /** When the first, the middle and the last of so many records arrived. @param before records that were there before them */
  async arrivals(count: number, before = 0): Promise<Arrivals> {
    const [start, end] = [this.#createdMs - 1_000, Date.now() + 1_000];
    const arrived = async (timeMs: number) => await this.#arrivedBy(timeMs) - before;
    const firstMs = await firstTimeOf(arrived, 1, start, end);
    const middleMs = await firstTimeOf(arrived, Math.ceil(count / 2), firstMs, end);
    const lastMs = await firstTimeOf(arrived, count, middleMs, end);
    return { firstMs, middleMs, lastMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.deleteTopics({ topics: [...this.#names] });
    await this.#admin.disconnect();
  }

  /** How many records had arrived at the end of this millisecond. */
  async #arrivedBy(timeMs: number): Promise<number> {
    let count = 0;
    for (const name of this.#names) {
      const offsets = await this.#admin.fetchTopicOffsetsByTimestamp(name, timeMs + 1);
      count += offsets.reduce((sum, { offset }) => sum + Number(offset), 0);
    }
    return count;
  }

  #refuseOther(wanted: number, count: number): void {
    if (count === wanted) return;
    throw new Error(`Cannot measure: topic ${this.name} holds ${count} records, expected exactly ${wanted}`);
  }
}

/**
 * The first whole number in `[low, high]` for which `arrived` is at least `wanted`, by binary search.
 *
 * @param arrived never falls
 * @throws RangeError when there is none
 */
export async function firstTimeOf(
  arrived: (time: number) => Promise<number>,
  wanted: number,
  low: number,
  high: number,
): Promise<number> {
  if (await arrived(high) < wanted) {
    throw new RangeError(`Cannot find when ${wanted} records had arrived: fewer had at ${high}`);
  }
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await arrived(middle) >= wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Messages per second, over all of them and over the second half. */
export function ratesOf(
  count: number,
  { firstMs, middleMs, lastMs }: Arrivals,
): { whole: number; half: number } {
  const perSecond = (messages: number, spanMs: number) => messages * 1_000 / Math.max(spanMs, 1);
  return {
    whole: perSecond(count, lastMs - firstMs),
    half: perSecond(count - Math.ceil(count / 2), lastMs - middleMs),
  };
}
