/**
 * Asks the cluster who leads what, again and again while a partition has nobody to send to, and notices when that has gone on for
 * too long.
 *
 * @module
 */

import { type Fault, FaultError } from "@pg-tide/sdk";
import type { Accumulator } from "./accumulator.ts";
import { classify } from "./classify.ts";
import type { Cluster } from "./cluster.ts";
import type { Options } from "./config.ts";
import { blockedFault, leaderless, missingTopic } from "./faults.ts";
import type { PartitionQueue } from "./partition_queue.ts";

/** The first pause between two questions, and the longest, in milliseconds. */
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 1_000;

/** How long a topic is waited for that does not exist: it may be on its way to this broker, or being created by it. */
export const TOPIC_WAIT_MS = 5_000;

/**
 * How long a broker or a leader is waited for before an outage is reported. An election takes less. Batches that may have
 * been written are held longer, up to the delivery timeout: only here can they be sent again without a duplicate.
 */
const OUTAGE_MS = 10_000;

/** UNKNOWN_TOPIC_OR_PARTITION. */
const UNKNOWN_TOPIC = 3;

/** What the search needs. */
export interface SearchPorts {
  readonly options: Options;
  readonly cluster: Cluster;
  readonly accumulator: Accumulator;
  /** A clock that only moves forward, in milliseconds. */
  readonly monotonicMs: () => number;
  readonly random: () => number;
  /** The generation cannot go on. */
  readonly onFault: (fault: Fault) => void;
}

/** The search for leaders. */
export class LeaderSearch {
  readonly #ports: SearchPorts;
  readonly #found: () => void;
  readonly #missing = new Set<PartitionQueue>();
  readonly #topics = new Set<string>();
  #fault: Fault | undefined;
  #rounds = 0;
  #running = false;
  #again = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param found called when the cluster has answered */
  constructor(ports: SearchPorts, found: () => void) {
    this.#ports = ports;
    this.#found = found;
  }

  /** Ask about a topic. */
  ask(topic: string): void {
    this.#topics.add(topic);
    this.#ask();
  }

  /** A queue has no leader: ask until it has. */
  missing(queue: PartitionQueue): void {
    this.#missing.add(queue);
    this.ask(queue.topic);
  }

  /** A leader could not be reached, because of `fault`. */
  failed(fault: Fault): void {
    this.#fault = fault;
    this.#check();
    this.#ask();
  }

  /** Nothing is looked for any more. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#missing.clear();
    this.#topics.clear();
    this.#fault = undefined;
    this.#rounds = 0;
    this.#again = false;
  }

  /** Stop, for good. */
  close(): void {
    this.#closed = true;
    this.clear();
  }

  #ask(): void {
    if (this.#closed || this.#timer !== undefined) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    this.#again = false;
    const topics = [...this.#topics];
    this.#topics.clear();
    this.#ports.cluster.refresh(topics).then(
      () => this.#fault = undefined,
      (error: unknown) => {
        if (!(error instanceof FaultError)) throw error;
        this.#fault = error.fault;
      },
    ).then(() => this.#answered());
  }

  #answered(): void {
    this.#running = false;
    if (this.#closed) return;
    const searched = this.#missing.size > 0 || this.#fault !== undefined;
    this.#missing.clear();
    this.#found();
    this.#check();
    if (this.#missing.size === 0 && this.#fault === undefined && !this.#again) {
      this.#rounds = 0;
      return;
    }
    if (!searched && !this.#again) this.#rounds = 0;
    const { random } = this.#ports;
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** this.#rounds++) * (0.8 + 0.4 * random());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#ask();
    }, pauseMs);
  }

  /** Report when a queue has waited for too long. */
  #check(): void {
    const nowMs = this.#ports.monotonicMs();
    for (const queue of this.#ports.accumulator.queues()) {
      const fault = queue.waiting.length > 0 && queue.stalledSinceMs !== undefined
        ? this.#verdict(queue, nowMs - queue.stalledSinceMs, nowMs)
        : undefined;
      if (fault !== undefined) return this.#ports.onFault(fault);
    }
  }

  #verdict(queue: PartitionQueue, stalledMs: number, nowMs: number): Fault | undefined {
    const { cluster, options } = this.#ports;
    const { topic, partition } = queue;
    const code = cluster.topic(topic)?.errorCode ?? 0;
    if (this.#fault === undefined) {
      if (classify(code).decision === "blocked") {
        return blockedFault(code, null, "describe", topic, options);
      }
      if (code === UNKNOWN_TOPIC && stalledMs >= TOPIC_WAIT_MS) return missingTopic(topic, stalledMs);
    } else if (this.#fault.kind !== "unavailable") {
      return this.#fault;
    }
    const head = queue.waiting[0]!;
    const held = options.idempotent && head.attempts > 0;
    const over = held
      ? nowMs - head.createdAtMs >= options.deliveryTimeoutMs
      : stalledMs >= Math.min(OUTAGE_MS, options.deliveryTimeoutMs);
    return over ? this.#fault ?? leaderless(topic, partition, stalledMs) : undefined;
  }
}
