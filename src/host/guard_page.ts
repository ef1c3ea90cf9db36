/**
 * Checks of what a format made of a page.
 *
 * @module
 */

import { type Column, type EncodedPage, NULL_RANGE, type RecordPage } from "@pg-tide/sdk";
import { readRejection } from "./guard_answer.ts";
import { HOST_LIMITS } from "./limits.ts";
import {
  member,
  type Members,
  optional,
  readArray,
  readInteger,
  readList,
  readName,
  readObject,
  refuse,
} from "./guard_value.ts";

/** What is kept of a page that was given to a format, to check what comes back. */
export interface SentMessages {
  readonly ids: Float64Array;
  /** Bytes of the page's values. */
  readonly bytes: number;
}

/**
 * Read an encoded page.
 *
 * Afterwards every record belongs to a message that was given, in order, with that message's id; every range lies within
 * its buffer; every header list is whole; and no message is rejected that has records.
 *
 * @throws {GuardError} when it is anything else
 */
export function readEncoded(value: unknown, sent: SentMessages): EncodedPage {
  const members = readObject(value, "encoded");
  const page = readRecordPage(member(members, "page"), sent);
  const messageIndex = readArray(
    member(members, "messageIndex"),
    "encoded.messageIndex",
    "Uint32Array",
    page.count,
  );
  const messages = sent.ids.length;
  const rejected = readList(
    member(members, "rejected"),
    "encoded.rejected",
    messages,
    (one, at) => readRejection(one, at, messages),
  );
  checkOwners(page, messageIndex, sent.ids);
  checkRejected(rejected.map(({ index }) => index), messageIndex, messages);
  return { page, messageIndex, rejected };
}

function readRecordPage(value: unknown, sent: SentMessages): RecordPage {
  const at = "encoded.page";
  const members = readObject(value, at);
  const countMax = sent.ids.length * HOST_LIMITS.recordsPerMessage;
  const count = readInteger(member(members, "count"), `${at}.count`, 0, countMax);
  const topics = readList(
    member(members, "topics"),
    `${at}.topics`,
    Math.min(65_536, Math.max(count, sent.ids.length)),
    (topic, where) => readName(topic, where, HOST_LIMITS.topicMax),
  );
  const topic = readArray(member(members, "topic"), `${at}.topic`, "Uint16Array", count);
  if (topic.some((index) => index >= topics.length)) refuse(`${at}.topic`, "made of indices into topics");
  const page = {
    count,
    ids: readArray(member(members, "ids"), `${at}.ids`, "Float64Array", count),
    createdMs: readArray(member(members, "createdMs"), `${at}.createdMs`, "Float64Array", count),
    topics,
    topic,
    ...optional(members, "partition", at, (value, where) => readPartitions(value, where, count)),
    key: readColumn(members, "key", count),
    value: readColumn(members, "value", count),
    headers: readColumn(members, "headers", count),
  };
  if (!page.createdMs.every(Number.isFinite)) refuse(`${at}.createdMs`, "made of finite numbers");
  checkHeaders(page.headers, count);
  const bytes = page.key.bytes.length + page.value.bytes.length + page.headers.bytes.length;
  const bytesMax = HOST_LIMITS.encodedBeside + HOST_LIMITS.encodedFactor * sent.bytes;
  if (bytes > bytesMax) refuse(at, `of at most ${bytesMax} bytes`);
  return page;
}

function readPartitions(value: unknown, at: string, count: number): Int32Array<ArrayBuffer> {
  const partition = readArray(value, at, "Int32Array", count);
  if (partition.some((number) => number < -1)) refuse(at, "made of numbers from -1");
  return partition;
}

function readColumn(page: Members, name: string, count: number): Column {
  const at = `encoded.page.${name}`;
  const members = readObject(member(page, name), at);
  const bytes = readArray(member(members, "bytes"), `${at}.bytes`, "Uint8Array");
  const ranges = readArray(member(members, "ranges"), `${at}.ranges`, "Uint32Array", 2 * count);
  for (let i = 0; i < ranges.length; i += 2) {
    const start = ranges[i]!;
    const end = ranges[i + 1]!;
    if (start !== NULL_RANGE && (start > end || end > bytes.length)) {
      refuse(`${at}.ranges`, `within its ${bytes.length} bytes: ${start} to ${end}`);
    }
  }
  return { bytes, ranges };
}

function checkOwners(page: RecordPage, messageIndex: Uint32Array, ids: Float64Array): void {
  let last = 0;
  for (let i = 0; i < messageIndex.length; i++) {
    const owner = messageIndex[i]!;
    if (owner < last || owner >= ids.length) refuse("encoded.messageIndex", "rising within the page given");
    if (page.ids[i] !== ids[owner]) refuse(`encoded.page.ids[${i}]`, "the id of its message");
    last = owner;
  }
}

function checkRejected(rejected: readonly number[], messageIndex: Uint32Array, messages: number): void {
  const withRecords = new Uint8Array(messages);
  for (const owner of messageIndex) withRecords[owner] = 1;
  for (const index of rejected) {
    if (withRecords[index] !== 0) {
      refuse("encoded.rejected", `without message ${index}, which has records or is rejected already`);
    }
    withRecords[index] = 1;
  }
}

/** Sinks copy header lists as they are: a broken one would break a whole batch. */
function checkHeaders({ bytes, ranges }: Column, count: number): void {
  let checked = -1;
  for (let i = 0; i < count; i++) {
    const start = ranges[2 * i]!;
    if (start === NULL_RANGE) refuse(`encoded.page.headers[${i}]`, "a header list");
    // Records that share their list stand one after the other.
    if (start === checked && ranges[2 * i - 1] === ranges[2 * i + 1]) continue;
    checked = start;
    if (!isHeaderList(bytes, start, ranges[2 * i + 1]!)) {
      refuse(`encoded.page.headers[${i}]`, "a header list");
    }
  }
}

/** Whether the bytes from `start` to `end` are exactly one header list. */
function isHeaderList(bytes: Uint8Array, start: number, end: number): boolean {
  const cursor = { bytes, at: start, end };
  for (let count = takeVarint(cursor, 0); count > 0; count--) {
    skip(cursor, takeVarint(cursor, 0));
    skip(cursor, takeVarint(cursor, -1));
    if (cursor.at > end) return false;
  }
  return cursor.at === end;
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

function skip(cursor: Cursor, length: number): void {
  cursor.at += Math.max(0, length);
}

/** A zigzag varint of at least `min`; moves the cursor behind the end when there is none. */
function takeVarint(cursor: Cursor, min: number): number {
  let value = 0;
  for (let shift = 0; shift <= 28 && cursor.at < cursor.end; shift += 7) {
    const byte = cursor.bytes[cursor.at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      const decoded = (value >>> 1) ^ -(value & 1);
      if (decoded >= min) return decoded;
      break;
    }
  }
  cursor.at = cursor.end + 1;
  return 0;
}
