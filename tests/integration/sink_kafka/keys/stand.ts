/**
 * A broker that logs every request, a line to it on which answers can be held, and sinks that are configured as a user would: what the
 * proofs of single keys need.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Answer, Json } from "../../../../plugins/sdk/mod.ts";
import { MANIFEST } from "../../../../plugins/sink_kafka/manifest.ts";
import { type KafkaSink, openSink } from "../../../../plugins/sink_kafka/sink.ts";
import { parsePipeline } from "../../../../src/config/pipeline.ts";
import { JVM_OPTIONS, type KafkaServer, startKafka } from "../../../support/kafka.ts";
import { type RecordDraft, recordPage } from "../../../support/kafka_sink.ts";
import { freePort } from "../../../support/port.ts";
import { LOG_REQUESTS, type LoggedRequest, requestsOf } from "../../../support/request_log.ts";
import { RequestTap } from "../../../support/request_tap.ts";
import { waitUntil } from "../../../support/wait.ts";

/** Shows at the broker what a key does. */
export type KeyProof = (stand: Stand) => Promise<void>;

/** Fields of a pipeline's configuration. */
export type Fields = Readonly<Record<string, Json>>;

/** What all proofs share. */
export class Stand implements AsyncDisposable {
  readonly kafka: KafkaServer;
  /** The line: whoever connects to it is told no other address. */
  readonly tap: RequestTap;

  private constructor(kafka: KafkaServer, tap: RequestTap) {
    this.kafka = kafka;
    this.tap = tap;
  }

  static async start(): Promise<Stand> {
    const port = freePort();
    const tap = await RequestTap.to(port);
    try {
      const kafka = await startKafka({
        listeners: [{ name: "TAPPED", port, protocol: "PLAINTEXT", advertisedPort: tap.port }],
        settings: { "auto.create.topics.enable": "true" },
        jvmOptions: [...JVM_OPTIONS, LOG_REQUESTS],
      });
      return new Stand(kafka, tap);
    } catch (error) {
      await tap[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The address of the line. */
  get tapped(): string {
    return `127.0.0.1:${this.tap.port}`;
  }

  /** A new topic. */
  async topic(partitions: number, config: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `key-${crypto.randomUUID()}`;
    await this.kafka.createTopic(name, partitions, config);
    return name;
  }

  /** Open a sink of this broker. @throws FaultError as `openSink` */
  open(fields: Fields = {}): Promise<StandSink> {
    return openAsUser({ brokers: this.kafka.brokers, client_id: `client-${crypto.randomUUID()}`, ...fields });
  }

  /** Open a sink, let it deliver these records to a topic, all of which must arrive, and close it. */
  async deliver(fields: Fields, topic: string, drafts: readonly RecordDraft[]): Promise<string> {
    await using sink = await this.open(fields);
    await sink.deliver(topic, drafts);
    return sink.clientId;
  }

  /** The requests of a client that the broker has logged, once there are enough of them. */
  requests(clientId: string, api: string, count = 1): Promise<readonly LoggedRequest[]> {
    return waitUntil(async () => {
      const requests = await requestsOf(this.kafka, clientId, api);
      return requests.length >= count && requests;
    }, { what: `${count} ${api} requests of ${clientId} in the broker's log` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kafka.stop();
    await this.tap[Symbol.asyncDispose]();
  }
}

/**
 * Open a sink with these fields and defaults for the others; all is as a user may configure it.
 *
 * @throws FaultError as `openSink`
 */
export async function openAsUser(fields: Fields): Promise<StandSink> {
  const { config, problems } = parsePipeline({ sink_type: "kafka", topic: "t", ...fields }, [MANIFEST]);
  assert.deepEqual(problems, []);
  const own = config!.fields.split(config!.values).sink;
  const sink = await openSink({ pipeline: "p", outbox: "o", fields: own });
  return new StandSink(sink, String(own.client_id));
}

/** An open sink. */
export class StandSink implements AsyncDisposable {
  /** By which the broker's log and the line know it. */
  readonly clientId: string;
  readonly #sink: KafkaSink;

  constructor(sink: KafkaSink, clientId: string) {
    this.#sink = sink;
    this.clientId = clientId;
  }

  /** Deliver records, whatever becomes of them. */
  offer(topic: string, drafts: readonly RecordDraft[]): Promise<Answer> {
    return this.#sink.deliver(recordPage(topic, drafts), 1);
  }

  /** Deliver records, all of which must arrive. */
  async deliver(topic: string, drafts: readonly RecordDraft[]): Promise<void> {
    const { delivered, ...others } = await this.offer(topic, drafts);
    assert.deepEqual({ ...others, delivered: [...delivered] }, {
      delivered: [0, drafts.length],
      rejected: [],
      failed: [],
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#sink.close();
  }
}

/** Records with so many different keys, in turn. */
export function draftsOf(count: number, keys = count): RecordDraft[] {
  return Array.from({ length: count }, (_, i) => ({ key: `k${i % keys}`, value: `{"n":${i}}` }));
}
