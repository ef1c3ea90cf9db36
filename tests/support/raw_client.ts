/**
 * A client of Kafka that knows nothing but bytes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { codecOf } from "../../plugins/sink_kafka/record/compression.ts";
import { NO_STAMP, type Stamp, stampBatch } from "../../plugins/sink_kafka/record/record_batch.ts";
import { batchOf } from "./kafka_batches.ts";
import { FrameSplitter, WireReader, WireWriter } from "./kafka_wire.ts";
import { PRODUCE_KEY, writeProduce } from "./produce_wire.ts";
import { waitUntil } from "./wait.ts";

const DESCRIBE_PRODUCERS_KEY = 61;

/** The version of {@link produceRequest}. */
export const RAW_VERSION = 9;

/** A connection on which frames are sent and received. */
export class RawClient implements Disposable {
  /** Answers that have arrived and were not taken. */
  readonly received: Buffer[] = [];
  /** How many bytes have arrived. */
  bytes = 0;
  /** How the other side ended the connection. */
  readonly ended: Promise<"closed" | "reset">;
  readonly #connection: Deno.Conn;
  readonly #answers = new FrameSplitter();

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
    this.ended = this.#read();
  }

  /** Connect. @param address `host:port` */
  static async to(address: string): Promise<RawClient> {
    const [hostname, port] = address.split(":");
    return new RawClient(await Deno.connect({ hostname: hostname!, port: Number(port) }));
  }

  /** Send a frame, or whatever bytes. */
  async send(frame: Uint8Array): Promise<void> {
    for (let at = 0; at < frame.length;) at += await this.#connection.write(frame.subarray(at));
  }

  /** The next answer. */
  async answer(): Promise<Buffer> {
    return await waitUntil(() => this.received.shift(), { what: "an answer" });
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // The other side has closed it.
    }
  }

  async #read(): Promise<"closed" | "reset"> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let n = await this.#connection.read(buffer); n !== null; n = await this.#connection.read(buffer)) {
        this.bytes += n;
        this.received.push(...this.#answers.push(buffer.slice(0, n)));
      }
      return "closed";
    } catch {
      return "reset";
    }
  }
}

/** A Produce request with one record for partition 0 of a topic. */
export function produceRequest(topic: string, correlationId: number, stamp: Stamp = NO_STAMP): Buffer {
  const batch = batchOf();
  batch.seal(codecOf("none"));
  stampBatch(batch.bytes!, stamp);
  const { baseSequence: sequence, producerEpoch: epoch, producerId } = stamp;
  const bytes = Buffer.from(batch.bytes!);
  return writeProduce({
    head: { apiKey: PRODUCE_KEY, version: RAW_VERSION, correlationId, clientId: "raw" },
    acks: -1,
    timeoutMs: 10_000,
    batches: [{ topic, partition: 0, bytes, producerId, epoch, sequence, count: 1 }],
  });
}

/** How many producers a broker knows in partition 0 of a topic. */
export async function countProducers(client: RawClient, topic: string): Promise<number> {
  const head = new WireWriter().int16(DESCRIBE_PRODUCERS_KEY).int16(0).int32(1).string("raw", false).tags(
    true,
  );
  const topics = head.count(1, true).string(topic, true).count(1, true).int32(0).tags(true);
  await client.send(topics.tags(true).frame());
  const reader = WireReader.ofAnswer(await client.answer(), true);
  reader.int32();
  reader.count(true);
  reader.string(true);
  reader.count(true);
  reader.int32();
  const code = reader.int16();
  if (code !== 0) throw new Error(`Cannot describe the producers of ${topic}: error ${code}`);
  reader.string(true);
  return reader.count(true);
}
