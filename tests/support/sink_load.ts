/**
 * A steady load of numbered records on a topic, through a Kafka sink of its own, while something happens to the brokers.
 *
 * ```ts
 * await using load = await SinkLoad.start(topic, { brokers, idempotent: true });
 * await load.passes();
 * await cluster.node(1).kill();
 * await load.passes();
 * await load.finish();
 * load.records.assertExactlyOnce(await readTopic(brokers, topic));
 * ```
 *
 * @module
 */

import type { Json } from "../../plugins/sdk/mod.ts";
import { Delivery, openKafkaSink } from "./kafka_sink.ts";
import { NumberedRecords } from "./numbered.ts";
import { waitUntil } from "./wait.ts";

/**
 * Pages come in bursts, so that requests queue up at each broker, and with pauses between them: brokers, sinks, and who reads
 * everything back, share a few cores.
 */
const BURST_PAGES = 4;
const PAGE_RECORDS = 30;
const PAUSE_MS = 150;

/** Pages that the sink and the dispatcher may hold when a page is taken: it has passed when so many others were taken after it. */
const HELD_PAGES = 8;

/** Long enough for elections and restarts on a machine that does several other things. */
const PASSES_WITHIN_MS = 120_000;

/** Offers pages from its start until it is told to finish. */
export class SinkLoad implements AsyncDisposable {
  readonly topic: string;
  readonly records: NumberedRecords;
  readonly delivery: Delivery;
  readonly #offering: Promise<void>;
  #failure: unknown;
  #pages = 0;
  #finishing = false;

  private constructor(topic: string, delivery: Delivery) {
    this.topic = topic;
    this.delivery = delivery;
    this.records = new NumberedRecords({ keys: 101 });
    this.#offering = this.#offer();
    this.#offering.catch((error: unknown) => this.#failure = error);
  }

  /** Open a sink, in its Worker, and begin. @param fields of its configuration; batches are small unless they say so */
  static async start(topic: string, fields: Readonly<Record<string, Json>>): Promise<SinkLoad> {
    const sink = await openKafkaSink({ linger_ms: 0, batch_size: 8, compression: "zstd", ...fields });
    return new SinkLoad(topic, new Delivery(sink));
  }

  /** Pages that were taken so far. */
  get pages(): number {
    return this.#pages;
  }

  /** Wait until a page is delivered that is not even offered yet. */
  async passes(): Promise<void> {
    const wanted = this.#pages + 1 + HELD_PAGES;
    const passed = () => {
      if (this.#failure !== undefined) throw this.#failure;
      return this.#pages >= wanted;
    };
    await waitUntil(passed, { what: `the load on ${this.topic} to go on`, timeoutMs: PASSES_WITHIN_MS });
  }

  /** Offer nothing more, and wait until every record has its outcome. */
  async finish(): Promise<void> {
    this.#finishing = true;
    await this.#offering;
    await this.delivery.drained();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finishing = true;
    await this.delivery[Symbol.asyncDispose]();
  }

  async #offer(): Promise<void> {
    while (!this.#finishing) {
      for (let page = 0; page < BURST_PAGES && !this.#finishing; page++) {
        await this.delivery.offer(this.topic, this.records.take(PAGE_RECORDS));
        this.#pages++;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
