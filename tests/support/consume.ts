/**
 * Reads a whole topic back, as it stands now.
 *
 * @module
 */

import { lz4Decompress } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import kafkajs, { type Consumer, type EachBatchPayload, type KafkaMessage } from "kafkajs";
import { type PartitionOffsets, quietClient, topicOffsets } from "./kafka_admin.ts";
import type { KafkaTools } from "./kafka_tools.ts";
import { xerialBlocks } from "./xerial.ts";

/** A record as a consumer sees it. */
export interface TopicRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** In the order in which they stand in the record; {@link readTopic} keeps only names together. */
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
}

/** A record whose bytes are all text. */
export interface TextRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  /** The last one of each name. */
  readonly headers: Readonly<Record<string, string | null>>;
}

/** The record with its bytes read as UTF-8. @throws TypeError when they are not UTF-8 */
export function textOf(record: TopicRecord): TextRecord {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const text = (bytes: Uint8Array | null) => bytes === null ? null : decoder.decode(bytes);
  const headers = Object.fromEntries(record.headers.map(([name, value]) => [name, text(value)]));
  return { ...record, key: text(record.key), value: text(record.value), headers };
}

// kafkajs brings gzip alone.
readWith(kafkajs.CompressionTypes.Snappy, (bytes) => Buffer.concat(xerialBlocks(bytes)));
readWith(kafkajs.CompressionTypes.LZ4, lz4Decompress);
readWith(kafkajs.CompressionTypes.ZSTD, zstdDecompressSync);

function readWith(type: keyof typeof kafkajs.CompressionCodecs, decompress: (bytes: Buffer) => Uint8Array) {
  kafkajs.CompressionCodecs[type] = () => ({
    compress: () => Promise.reject(new Error("Cannot compress: this client only reads")),
    decompress: (bytes: Buffer) => Promise.resolve(Buffer.from(decompress(bytes))),
  });
}

const READ_WITHIN_MS = 60_000;

/** How long a broker may hold back its answer when it has nothing more: what is asked of it last is waited for at the end. */
const FETCH_WAIT_MS = 100;

/**
 * Every record that a topic holds when this is called, by partition and offset, through `npm:kafkajs`.
 *
 * @param groupId the consumer group's name, of which the broker keeps nothing but an empty group
 * @throws Error when a record cannot be read, or not all came within a minute
 */
export async function readTopic(
  brokers: string,
  topic: string,
  groupId = `pg-tide-tests-${crypto.randomUUID()}`,
): Promise<readonly TopicRecord[]> {
  const wanted = (await topicOffsets(brokers, topic)).filter(({ low, high }) => high > low);
  if (wanted.length === 0) return [];
  // The first group on a broker, or after its restart, waits until the coordinator has loaded.
  const retry = { retries: 40, initialRetryTime: 50, maxRetryTime: 500 };
  const consumer = quietClient(brokers).consumer({ groupId, retry, maxWaitTimeInMs: FETCH_WAIT_MS });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    return inOrder(await collect(consumer, wanted));
  } finally {
    await consumer.disconnect();
  }
}

/**
 * Like {@link readTopic}, through Kafka's own console consumer: every codec, headers in their order, one JVM.
 *
 * @param tools of the broker that holds the topic
 */
export async function readTopicByJava(
  tools: KafkaTools,
  brokers: string,
  topic: string,
): Promise<readonly TopicRecord[]> {
  const held = (await topicOffsets(brokers, topic)).reduce((sum, { low, high }) => sum + high - low, 0n);
  if (held === 0n) return [];
  const printed = await tools.consoleConsumer(topic, {
    maxMessages: Number(held),
    properties: PRINT_EVERYTHING,
  });
  return inOrder(splitBytes(Buffer.from(printed), RECORD_END).map(parsePrinted));
}

/** Takes batches until every partition has been read up to where it ended at the start. */
function collect(consumer: Consumer, wanted: readonly PartitionOffsets[]): Promise<TopicRecord[]> {
  const records: TopicRecord[] = [];
  const open = new Map(wanted.map(({ partition, high }) => [partition, high]));
  const { promise, resolve, reject } = Promise.withResolvers<TopicRecord[]>();
  const limit = setTimeout(() => {
    const missing = [...open].map(([partition, high]) => `partition ${partition} up to ${high}`).join(", ");
    reject(new Error(`Cannot read the topic: after ${READ_WITHIN_MS} ms still missing ${missing}`));
  }, READ_WITHIN_MS);
  const take = ({ batch }: EachBatchPayload): Promise<void> => {
    const high = open.get(batch.partition);
    if (high === undefined) return Promise.resolve();
    for (const message of batch.messages) {
      if (BigInt(message.offset) < high) records.push(fromKafkajs(batch.partition, message));
    }
    if (BigInt(batch.lastOffset()) + 1n >= high) open.delete(batch.partition);
    if (open.size === 0) resolve(records);
    return Promise.resolve();
  };
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
  consumer.run({ eachBatch: take, autoCommit: false }).catch(reject);
  return promise.finally(() => clearTimeout(limit));
}

function fromKafkajs(partition: number, message: KafkaMessage): TopicRecord {
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one): [string, Uint8Array | null] => [name, bytesOf(one)])
  );
  return {
    partition,
    offset: BigInt(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers,
  };
}

function bytesOf(value: Buffer | string | undefined): Uint8Array | null {
  if (value === undefined) return null;
  return typeof value === "string" ? Buffer.from(value) : value;
}

function inOrder(records: readonly TopicRecord[]): readonly TopicRecord[] {
  return records.toSorted((one, other) =>
    one.partition - other.partition || Number(one.offset - other.offset)
  );
}

/** Separators that no test's data holds: control characters around a word. */
const FIELD_END = "\u0001field\u0002";
const RECORD_END = "\u0001record\u0002";
const HEADER_END = "\u0001header\u0002";
const NULL = "\u0001null\u0002";

const PRINT_EVERYTHING = {
  "print.partition": "true",
  "print.offset": "true",
  "print.timestamp": "true",
  "print.headers": "true",
  "print.key": "true",
  "key.separator": FIELD_END,
  "line.separator": RECORD_END,
  "headers.separator": HEADER_END,
  "null.literal": NULL,
};

/** `CreateTime:17…`, `Partition:0`, `Offset:7`, then headers, key and value: the formatter's own order. */
function parsePrinted(record: Buffer): TopicRecord {
  const fields = splitBytes(record, FIELD_END, 6);
  const [timestamp, partition, offset, headers, key, value] = fields;
  if (!timestamp || !partition || !offset || !headers || !key || !value) {
    throw new Error(`Cannot read what the console consumer printed: ${fields.length} fields, expected 6`);
  }
  return {
    partition: Number(numberIn(partition)),
    offset: BigInt(numberIn(offset)),
    timestamp: Number(numberIn(timestamp)),
    key: orNull(key),
    value: orNull(value),
    headers: headers.equals(Buffer.from("NO_HEADERS")) ? [] : splitBytes(headers, HEADER_END).map(headerOf),
  };
}

function headerOf(printed: Buffer): [string, Uint8Array | null] {
  const colon = printed.indexOf(":");
  return [printed.subarray(0, colon).toString(), orNull(printed.subarray(colon + 1))];
}

function numberIn(printed: Buffer): string {
  const digits = /:(-?\d+)$/.exec(printed.toString())?.[1];
  if (digits === undefined) throw new Error(`Cannot read a number in "${printed}"`);
  return digits;
}

function orNull(printed: Buffer): Uint8Array | null {
  return printed.equals(Buffer.from(NULL)) ? null : printed;
}

/** The parts between separators; an end without content after the last separator is no part. */
function splitBytes(bytes: Buffer, separator: string, most = Infinity): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  while (parts.length < most - 1) {
    const end = bytes.indexOf(separator, start);
    if (end < 0) break;
    parts.push(bytes.subarray(start, end));
    start = end + Buffer.byteLength(separator);
  }
  if (start < bytes.length || most !== Infinity) parts.push(bytes.subarray(start));
  return parts;
}
