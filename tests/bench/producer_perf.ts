/**
 * The limit: Kafka's own `kafka-producer-perf-test` (class `ProducerPerformance`), on the same broker and a topic alike, with
 * the same payload lines, as many keys, the same acknowledgement, codec and level, idempotence, and batches of as many records.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { runOrThrow } from "../support/command.ts";
import { KAFKA_VERSION, kafkaJars } from "../support/kafka_jars.ts";
import { KEYS, PAYLOAD_BYTES, payloadOf } from "./payload.ts";
import { type Codec, propertiesOf, type Sending } from "./sending.ts";
import { type Arrivals, TimedTopic } from "./timeline.ts";

/** Lines in a payload file, of which the tool picks at random; fewer when they are long, because it holds them all. */
const LINES = 20_000;
const FILE_BYTES = 20_000_000;

/** As `kafka-run-class.sh` and `kafka-producer-perf-test.sh` of the distribution start it. */
const JVM_OPTIONS = [
  "-server",
  "-Xmx512M",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
];

/** What a record has beside its payload before compression: a short key, lengths and offsets. */
const OVERHEAD_BYTES = 12;

/** What is left of the benchmark's payloads, roughly: only where the search for the right size of batches begins. */
const RATIOS: Readonly<Record<Codec, number>> = { none: 1, lz4: 0.44, snappy: 0.43, zstd: 0.27, gzip: 0.27 };

/** Write payload lines into a folder. @returns the file's path */
export async function writePayloadFile(folder: string, payloadBytes = PAYLOAD_BYTES): Promise<string> {
  const path = join(folder, `payloads-${payloadBytes}.txt`);
  const length = Math.min(LINES, Math.floor(FILE_BYTES / payloadBytes));
  const lines = Array.from({ length }, (_, i) => `${payloadOf(i + 1, payloadBytes)}\n`);
  await Deno.writeTextFile(path, lines.join(""));
  return path;
}

/** The tool, set for batches of a size. Each run is a process of its own. */
export class NativeProducer {
  readonly #sending: Sending;
  readonly #batchBytes: number;

  private constructor(sending: Sending, batchBytes: number) {
    this.#sending = sending;
    this.#batchBytes = batchBytes;
  }

  /**
   * Find the `batch.size` with which batches hold as many records as wanted: the producer closes a batch by its compressed
   * size, which it guesses too high for thousands of batches. Sends `count` records to see.
   */
  static async calibrated(sending: Sending & { readonly count: number }): Promise<NativeProducer> {
    const { batchSize, brokers, compression, count, payloadBytes } = sending;
    const guess = Math.round(batchSize * (payloadBytes + OVERHEAD_BYTES) * RATIOS[compression]);
    await using topic = await TimedTopic.create(brokers, `warm-up-${batchSize}`);
    const printed = await new NativeProducer(sending, guess).#run(topic.name, count);
    const records = recordsPerBatch(printed, payloadBytes);
    return new NativeProducer(sending, Math.round(guess * batchSize / records));
  }

  /** Send `count` records to a new topic. @returns when they arrived, as the broker saw it */
  async send(count: number): Promise<Arrivals> {
    await using topic = await TimedTopic.create(this.#sending.brokers, `native-${this.#sending.batchSize}`);
    await this.#run(topic.name, count);
    await topic.holdsExactly(count);
    return await topic.arrivals(count);
  }

  async #run(topic: string, count: number): Promise<string> {
    const jars = await kafkaJars(KAFKA_VERSION);
    const logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
    const properties = { ...propertiesOf(this.#sending), "batch.size": String(this.#batchBytes) };
    const config = join(dirname(this.#sending.payloadFile), `${topic}.properties`);
    await Deno.writeTextFile(config, propertyLines(properties));
    return await runOrThrow("java", [
      ...["-cp", join(jars, "*"), ...JVM_OPTIONS, logging, "org.apache.kafka.tools.ProducerPerformance"],
      ...["--topic", topic, "--num-records", String(count), "--throughput", "-1", "--print-metrics"],
      ...["--payload-file", this.#sending.payloadFile],
      ...["--key-distribution", "random", "--record-key-range", String(KEYS)],
      ...["--command-config", config],
    ]);
  }
}

/** The text of a properties file; a value of several lines is written in one. */
export function propertyLines(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties).map(([name, value]) => `${name}=${value.replaceAll("\n", "\\n")}\n`).join(
    "",
  );
}

/** The average, from the metrics that the tool prints. */
export function recordsPerBatch(printed: string, payloadBytes: number): number {
  const bytes = metric(printed, "batch-size-avg");
  const compression = metric(printed, "compression-rate-avg");
  return bytes / (compression * (payloadBytes + OVERHEAD_BYTES));
}

function metric(printed: string, name: string): number {
  const line = new RegExp(`^producer-metrics:${name}:.*: ([0-9.]+)$`, "m").exec(printed);
  const value = Number(line?.[1]);
  if (!(value > 0)) throw new Error(`Cannot read ProducerPerformance's metric "${name}"`);
  return value;
}
