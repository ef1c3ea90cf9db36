/**
 * The limit: Kafka's own `kafka-producer-perf-test` (class `ProducerPerformance`), on the same broker and a topic alike, with
 * the same payload lines, as many keys, the same acknowledgement, codec and level, idempotence, and batches of as many records.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { runOrThrow } from "../support/command.ts";
import { KAFKA_VERSION, kafkaJars } from "../support/kafka_jars.ts";
import { KEYS, PAYLOAD_BYTES, payloadOf } from "./payload.ts";
import { type Arrivals, TimedTopic } from "./timeline.ts";

/** Lines in the payload file, of which the tool picks at random. */
const LINES = 20_000;

/** As `kafka-run-class.sh` and `kafka-producer-perf-test.sh` of the distribution start it. */
const JVM_OPTIONS = [
  "-server",
  "-Xmx512M",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
];

/** As the relay compresses; the Java producer's own is 3, which takes longer. */
const ZSTD_LEVEL = 1;

/** A record before compression: the payload, a short key, lengths and offsets. */
const RECORD_BYTES = PAYLOAD_BYTES + 12;

/** Whom to send to, and what. */
export interface ProducerOptions {
  readonly brokers: string;
  /** See {@link writePayloadFile}. */
  readonly payloadFile: string;
  /** Records in a batch, on average. */
  readonly batchSize: number;
}

/** Write the payload lines into a folder. */
export async function writePayloadFile(folder: string): Promise<string> {
  const path = join(folder, "payloads.txt");
  const lines = Array.from({ length: LINES }, (_, i) => `${payloadOf(i + 1)}\n`);
  await Deno.writeTextFile(path, lines.join(""));
  return path;
}

/** The tool, set for batches of a size. Each run is a process of its own. */
export class NativeProducer {
  readonly #options: ProducerOptions;
  readonly #batchBytes: number;

  private constructor(options: ProducerOptions, batchBytes: number) {
    this.#options = options;
    this.#batchBytes = batchBytes;
  }

  /**
   * Find the `batch.size` with which batches hold as many records as wanted: the producer closes a batch by its compressed
   * size, which it guesses too high for thousands of batches. Sends `count` records to see.
   */
  static async calibrated(options: ProducerOptions & { readonly count: number }): Promise<NativeProducer> {
    const { batchSize, brokers, count } = options;
    const guess = compressedBytes(batchSize);
    await using topic = await TimedTopic.create(brokers, `warm-up-${batchSize}`);
    const printed = await new NativeProducer(options, guess).#run(topic.name, count);
    return new NativeProducer(options, Math.round(guess * batchSize / recordsPerBatch(printed)));
  }

  /** Send `count` records to a new topic. @returns when they arrived, as the broker saw it */
  async send(count: number): Promise<Arrivals> {
    await using topic = await TimedTopic.create(this.#options.brokers, `native-${this.#options.batchSize}`);
    await this.#run(topic.name, count);
    await topic.holdsExactly(count);
    return await topic.arrivals(count);
  }

  async #run(topic: string, count: number): Promise<string> {
    const { brokers, payloadFile } = this.#options;
    const jars = await kafkaJars(KAFKA_VERSION);
    const logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
    return await runOrThrow("java", [
      ...["-cp", join(jars, "*"), ...JVM_OPTIONS, logging, "org.apache.kafka.tools.ProducerPerformance"],
      ...["--topic", topic, "--num-records", String(count), "--throughput", "-1", "--print-metrics"],
      ...["--payload-file", payloadFile, "--key-distribution", "random", "--record-key-range", String(KEYS)],
      "--command-property",
      `bootstrap.servers=${brokers}`,
      ...["acks=all", "enable.idempotence=true", `batch.size=${this.#batchBytes}`],
      ...["compression.type=zstd", `compression.zstd.level=${ZSTD_LEVEL}`],
    ]);
  }
}

/** Bytes of a batch of so many records. */
function compressedBytes(records: number): number {
  const lines = Buffer.from(Array.from({ length: records }, (_, i) => payloadOf(i + 1)).join("\n"));
  return zstdCompressSync(lines, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }).length;
}

/** The average, from the metrics that the tool prints. */
export function recordsPerBatch(printed: string): number {
  const bytes = metric(printed, "batch-size-avg");
  const compression = metric(printed, "compression-rate-avg");
  return bytes / (compression * RECORD_BYTES);
}

function metric(printed: string, name: string): number {
  const line = new RegExp(`^producer-metrics:${name}:.*: ([0-9.]+)$`, "m").exec(printed);
  const value = Number(line?.[1]);
  if (!(value > 0)) throw new Error(`Cannot read ProducerPerformance's metric "${name}"`);
  return value;
}
