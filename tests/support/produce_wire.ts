/**
 * Produce requests and their answers, versions 7 to 9, as a broker reads and writes them.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { correlationIdOf, readHead, type RequestHead, WireReader, WireWriter } from "./kafka_wire.ts";

/** The protocol's number of Produce. */
export const PRODUCE_KEY = 0;

/** The versions that are understood. */
const VERSIONS: readonly number[] = [7, 8, 9];

/** The batch of one partition in a request. */
export interface SentBatch {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
  /** -1 when the producer is not idempotent. */
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
  /** Number of records. */
  readonly count: number;
}

/** A Produce request. */
export interface ProduceRequest {
  readonly head: RequestHead;
  readonly acks: number;
  readonly timeoutMs: number;
  readonly batches: readonly SentBatch[];
}

/** What a broker says about one partition. */
export interface PartitionAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: bigint;
  readonly appendedAt: bigint;
  readonly startOffset: bigint;
  readonly recordErrors: readonly { readonly index: number; readonly message: string | null }[];
  readonly errorMessage: string | null;
}

/** The answer to a Produce request. */
export interface ProduceAnswerFrame {
  readonly correlationId: number;
  readonly partitions: readonly PartitionAnswer[];
  readonly throttleMs: number;
}

/** What a broker says about a partition that it has written nothing to. */
export function refusal({ topic, partition }: SentBatch, errorCode: number): PartitionAnswer {
  return {
    topic,
    partition,
    errorCode,
    baseOffset: -1n,
    appendedAt: -1n,
    startOffset: -1n,
    recordErrors: [],
    errorMessage: null,
  };
}

/** Read a request. @throws Error when its version is not known here */
export function readProduce(frame: Buffer): ProduceRequest {
  const head = readHead(frame);
  const flexible = isFlexible(head.version);
  const reader = WireReader.ofRequest(frame, flexible);
  reader.string(flexible);
  const acks = reader.int16();
  const timeoutMs = reader.int32();
  const batches: SentBatch[] = [];
  for (let topics = reader.count(flexible); topics > 0; topics--) {
    const topic = reader.string(flexible)!;
    for (let partitions = reader.count(flexible); partitions > 0; partitions--) {
      const partition = reader.int32();
      batches.push(readSentBatch(topic, partition, reader.bytes(flexible)!));
      reader.tags(flexible);
    }
    reader.tags(flexible);
  }
  return { head, acks, timeoutMs, batches };
}

/** Fields at fixed places of a record batch, version 2. */
function readSentBatch(topic: string, partition: number, bytes: Buffer): SentBatch {
  return {
    topic,
    partition,
    bytes,
    producerId: bytes.readBigInt64BE(43),
    epoch: bytes.readInt16BE(51),
    sequence: bytes.readInt32BE(53),
    count: bytes.readInt32BE(57),
  };
}

/** Write a request. */
export function writeProduce({ head, acks, timeoutMs, batches }: ProduceRequest): Buffer {
  const flexible = isFlexible(head.version);
  const writer = new WireWriter().int16(PRODUCE_KEY).int16(head.version).int32(head.correlationId)
    .string(head.clientId, false).tags(flexible)
    .string(null, flexible).int16(acks).int32(timeoutMs);
  const topics = Map.groupBy(batches, ({ topic }) => topic);
  writer.count(topics.size, flexible);
  for (const [topic, partitions] of topics) {
    writer.string(topic, flexible).count(partitions.length, flexible);
    for (const { partition, bytes } of partitions) {
      writer.int32(partition).bytes(bytes, flexible).tags(flexible);
    }
    writer.tags(flexible);
  }
  return writer.tags(flexible).frame();
}

/** Read the answer to a request of `version`. */
export function readProduceAnswer(frame: Buffer, version: number): ProduceAnswerFrame {
  const flexible = isFlexible(version);
  const reader = WireReader.ofAnswer(frame, flexible);
  const partitions: PartitionAnswer[] = [];
  for (let topics = reader.count(flexible); topics > 0; topics--) {
    const topic = reader.string(flexible)!;
    for (let left = reader.count(flexible); left > 0; left--) {
      partitions.push(readPartition(reader, topic, version));
    }
    reader.tags(flexible);
  }
  const throttleMs = reader.int32();
  return { correlationId: correlationIdOf(frame), partitions, throttleMs };
}

function readPartition(reader: WireReader, topic: string, version: number): PartitionAnswer {
  const flexible = isFlexible(version);
  const answer = {
    topic,
    partition: reader.int32(),
    errorCode: reader.int16(),
    baseOffset: reader.int64(),
    appendedAt: reader.int64(),
    startOffset: reader.int64(),
  };
  if (version < 8) return { ...answer, recordErrors: [], errorMessage: null };
  const recordErrors: { index: number; message: string | null }[] = [];
  for (let left = reader.count(flexible); left > 0; left--) {
    recordErrors.push({ index: reader.int32(), message: reader.string(flexible) });
    reader.tags(flexible);
  }
  const errorMessage = reader.string(flexible);
  reader.tags(flexible);
  return { ...answer, recordErrors, errorMessage };
}

/** Write an answer in `version`. */
export function writeProduceAnswer(answer: ProduceAnswerFrame, version: number): Buffer {
  const flexible = isFlexible(version);
  const writer = new WireWriter().int32(answer.correlationId).tags(flexible);
  const topics = Map.groupBy(answer.partitions, ({ topic }) => topic);
  writer.count(topics.size, flexible);
  for (const [topic, partitions] of topics) {
    writer.string(topic, flexible).count(partitions.length, flexible);
    for (const partition of partitions) writePartition(writer, partition, version);
    writer.tags(flexible);
  }
  return writer.int32(answer.throttleMs).tags(flexible).frame();
}

function writePartition(writer: WireWriter, answer: PartitionAnswer, version: number): void {
  const flexible = isFlexible(version);
  writer.int32(answer.partition).int16(answer.errorCode);
  writer.int64(answer.baseOffset).int64(answer.appendedAt).int64(answer.startOffset);
  if (version < 8) return;
  writer.count(answer.recordErrors.length, flexible);
  for (const { index, message } of answer.recordErrors) {
    writer.int32(index).string(message, flexible).tags(flexible);
  }
  writer.string(answer.errorMessage, flexible).tags(flexible);
}

function isFlexible(version: number): boolean {
  if (!VERSIONS.includes(version)) {
    throw new Error(`Cannot read Produce: version ${version}, expected ${VERSIONS.join(", ")}`);
  }
  return version >= 9;
}
