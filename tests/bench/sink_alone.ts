/**
 * The Kafka sink without a relay: in its Worker, with its grant, fed from memory, as `kafka-producer-perf-test` feeds its producer.
 *
 * @module
 */

import { type Column, nullColumn, type RecordPage } from "../../plugins/sdk/mod.ts";
import { LIMITS } from "../../src/base/limits.ts";
import type { SinkHost } from "../../src/host/mod.ts";
import { openKafkaSink, recordPage } from "../support/kafka_sink.ts";
import { keyOf, payloadOf } from "./payload.ts";
import { fieldsOf, type Sending } from "./sending.ts";
import { type Arrivals, TimedTopic } from "./timeline.ts";

/** Different records, of which the same ones come again and again. */
const RECORDS = 20_000;
const RECORDS_BYTES = 20_000_000;

/** Sends records to new topics, each time with a new Worker. */
export class SinkAlone {
  readonly #sending: Sending;
  readonly #pages: readonly RecordPage[];

  constructor(sending: Sending) {
    this.#sending = sending;
    this.#pages = makePages(sending.payloadBytes);
  }

  /** Send `count` records to a new topic. @returns when they arrived, as the broker saw it */
  async send(count: number): Promise<Arrivals> {
    await using topic = await TimedTopic.create(this.#sending.brokers, "sink");
    const sink = await openKafkaSink({ ...fieldsOf(this.#sending), topic: topic.name });
    try {
      await this.#feed(sink, topic.name, count);
    } finally {
      await sink.close();
    }
    await topic.holdsExactly(count);
    return await topic.arrivals(count);
  }

  /** Hand over as many pages at a time as the sink wants. */
  async #feed(sink: SinkHost, topic: string, count: number): Promise<void> {
    const open = new Set<Promise<void>>();
    let sent = 0;
    for (let next = 0; sent < count; next++) {
      const page = pageFor(topic, this.#pages[next % this.#pages.length]!, count - sent);
      sent += page.count;
      const delivered = this.#deliver(sink, page).finally(() => open.delete(delivered));
      open.add(delivered);
      if (open.size >= sink.pagesInFlight) await Promise.race(open);
    }
    await Promise.all(open);
  }

  async #deliver(sink: SinkHost, page: RecordPage): Promise<void> {
    const { count } = page;
    const { delivered, failed, fault, rejected } = await sink.deliver(page, 1);
    if (delivered[0] === 0 && delivered[1] === count) return;
    throw new Error(`Cannot measure: the sink answers ${JSON.stringify({ fault, failed, rejected })}`);
  }
}

/** Pages as large as the relay's. */
function makePages(payloadBytes: number): readonly RecordPage[] {
  const records = Math.min(RECORDS, Math.floor(RECORDS_BYTES / payloadBytes));
  const size = Math.min(LIMITS.pageRows, Math.floor(LIMITS.pageBytes / payloadBytes));
  return Array.from({ length: Math.floor(records / size) }, (_, page) =>
    recordPage(
      "",
      Array.from({ length: size }, (_, i) => {
        const seq = page * size + i + 1;
        return { key: keyOf(seq), value: payloadOf(seq, payloadBytes) };
      }),
    ));
}

/** A copy that can be transferred, of at most `most` records without headers, published now. */
function pageFor(topic: string, page: RecordPage, most: number): RecordPage {
  const count = Math.min(page.count, most);
  return {
    count,
    ids: page.ids.slice(0, count),
    createdMs: new Float64Array(count).fill(Date.now()),
    topics: [topic],
    topic: new Uint16Array(count),
    key: copyOf(page.key, count),
    value: copyOf(page.value, count),
    headers: nullColumn(count),
  };
}

function copyOf({ bytes, ranges }: Column, count: number): Column {
  return { bytes: bytes.slice(0, ranges[2 * count - 1]!), ranges: ranges.slice(0, 2 * count) };
}
