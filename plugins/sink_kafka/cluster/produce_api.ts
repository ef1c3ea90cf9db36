/**
 * Produce requests and their answers, versions 7 to 9 of the protocol.
 *
 * Version 7 is the first with zstd, 8 the first that names single records at fault, 9 the first in the compact encoding. All
 * brokers from 2.1 (7) and 2.4 (8 and 9) to 4.x answer one of them. The library's own functions for these take
 * objects per record and throw for errors; ours take finished batches and hand back every partition's result.
 *
 * @module
 */

import { type API, createAPI, type Reader, Writer } from "@platformatic/kafka";
import { Buffer } from "node:buffer";

/** The protocol's number of Produce. */
export const PRODUCE_KEY = 0;

/** The versions spoken here, best first. */
export const PRODUCE_VERSIONS = [9, 8, 7] as const;

/** A version of Produce spoken here. */
export type ProduceVersion = typeof PRODUCE_VERSIONS[number];

/** The batches of one topic in a request. */
export interface TopicBatches {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly batch: Uint8Array<ArrayBuffer> }[];
}

/** A record that the broker names as at fault. */
export interface RecordError {
  /** Index of the record in its batch. */
  readonly index: number;
  readonly message: string | null;
}

/** What became of the batch of one partition. */
export interface PartitionResult {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly recordErrors: readonly RecordError[];
}

/** The answer to a request. With `acks` 0 there is none, and no results. */
export interface ProduceAnswer {
  readonly results: readonly PartitionResult[];
  /** For how long the broker wants to hear nothing more, in milliseconds: a quota is exceeded. */
  readonly throttleMs: number;
}

/** A connection that takes Produce requests. */
export interface Producing {
  /**
   * Send a Produce request. `done` is called once: with an answer; with none when `acks` is 0 and the request was
   * written; or with the error that lost the connection, when it is not known whether the broker has the request.
   */
  produce(
    acks: number,
    timeoutMs: number,
    topics: readonly TopicBatches[],
    done: (error: Error | null, answer?: ProduceAnswer) => void,
  ): void;
}

/** The arguments of a request. */
export type ProduceArguments = [acks: number, timeoutMs: number, topics: readonly TopicBatches[]];

/** Produce in one version, as the library's connections take it. */
export type ProduceApi = API<ProduceArguments, ProduceAnswer | boolean>;

/** Produce in `version`. */
export function produceApi(version: ProduceVersion): ProduceApi {
  const compact = version >= 9;
  return createAPI<ProduceArguments, ProduceAnswer | boolean>(
    PRODUCE_KEY,
    version,
    (acks: number, timeoutMs: number, topics: readonly TopicBatches[]) =>
      writeRequest(compact, acks, timeoutMs, topics),
    (_correlation, _key, _version, reader) => readAnswer(reader, version),
    compact,
    compact,
  );
}

/** A whole request with `acks` 0, as it stands on the wire: nobody answers it. */
export function unansweredRequest(
  version: number,
  clientId: string,
  timeoutMs: number,
  topics: readonly TopicBatches[],
): Buffer {
  const compact = version >= 9;
  const request = Writer.create().appendInt16(PRODUCE_KEY).appendInt16(version).appendInt32(0)
    .appendString(clientId, false);
  if (compact) request.appendTaggedFields();
  return request.appendFrom(writeRequest(compact, 0, timeoutMs, topics)).prependLength().buffer;
}

function writeRequest(
  compact: boolean,
  acks: number,
  timeoutMs: number,
  topics: readonly TopicBatches[],
): Writer {
  const writer = Writer.create().appendString(null, compact).appendInt16(acks).appendInt32(timeoutMs);
  writeLength(writer, topics.length, compact);
  for (const { topic, partitions } of topics) {
    writer.appendString(topic, compact);
    writeLength(writer, partitions.length, compact);
    for (const { partition, batch } of partitions) {
      writer.appendInt32(partition);
      writeLength(writer, batch.length, compact);
      writer.append(Buffer.from(batch.buffer, batch.byteOffset, batch.length));
      if (compact) writer.appendTaggedFields();
    }
    if (compact) writer.appendTaggedFields();
  }
  if (compact) writer.appendTaggedFields();
  return writer;
}

function writeLength(writer: Writer, length: number, compact: boolean): void {
  if (compact) writer.appendUnsignedVarInt(length + 1);
  else writer.appendInt32(length);
}

function readAnswer(reader: Reader, version: ProduceVersion): ProduceAnswer {
  const compact = version >= 9;
  const results: PartitionResult[] = [];
  reader.readArray(
    () => {
      const topic = reader.readString(compact);
      reader.readArray(() => results.push(readResult(reader, version, topic)), compact, compact);
    },
    compact,
    compact,
  );
  const throttleMs = reader.readInt32();
  if (compact) reader.readTaggedFields();
  return { results, throttleMs };
}

function readResult(reader: Reader, version: ProduceVersion, topic: string): PartitionResult {
  const compact = version >= 9;
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  // The base offset, the time of the append and the start of the log are of no use to an outbox.
  reader.skip(24);
  if (version < 8) return { topic, partition, errorCode, errorMessage: null, recordErrors: [] };
  const recordErrors = reader.readArray(
    (r): RecordError => ({ index: r.readInt32(), message: r.readNullableString(compact) }),
    compact,
    compact,
  );
  return { topic, partition, errorCode, recordErrors, errorMessage: reader.readNullableString(compact) };
}
