/**
 * The envelope: a payload in an object that says where it comes from.
 *
 * Payload and previous row are copied as the bytes they are. They are never parsed, so no number in them passes through a
 * double.
 *
 * @module
 */

import {
  type Column,
  ColumnBuilder,
  decodeHeaders,
  type EncodedPage,
  type MessagePage,
  OPS,
  textAt,
  valueAt,
} from "@pg-tide/sdk";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
const PREVIOUS = ENCODER.encode(',"previous":');
const NULL = ENCODER.encode("null");
const END = ENCODER.encode("}");
/** Bytes of an envelope beside what it holds, about. */
const ENVELOPE_BYTES = 200;
/** Headers that repeat what the envelope says anyway. */
const OWN_HEADERS = "pg_tide_";

/** A record for each message, its value the envelope; key, headers and destination stay. */
export function encodeEnvelopes(page: MessagePage, outbox: string): EncodedPage {
  const { count, ids, createdMs, topics, topic, key, headers } = page;
  const value = envelopes(page, JSON.stringify(outbox));
  return {
    page: { count, ids, createdMs, topics, topic, key, value, headers },
    messageIndex: Uint32Array.from({ length: count }, (_, i) => i),
    rejected: [],
  };
}

function envelopes(page: MessagePage, outbox: string): Column {
  const hint = page.payload.bytes.length + page.previous.bytes.length + ENVELOPE_BYTES * page.count;
  const builder = new ColumnBuilder(page.count, hint);
  for (let i = 0; i < page.count; i++) {
    const head = ENCODER.encode(`{"outbox":${outbox},${facts(page, i)},"payload":`);
    const previous = valueAt(page.previous, i) ?? NULL;
    builder.append(joined([head, valueAt(page.payload, i) ?? NULL, PREVIOUS, previous, END]));
  }
  return builder.finish();
}

/** The members between the outbox and the payload. */
function facts(page: MessagePage, i: number): string {
  const createdAt = new Date(page.createdMs[i]!).toISOString();
  const op = OPS[page.ops[i]!] ?? "insert";
  const own = `"id":${page.ids[i]},"op":"${op}","created_at":"${createdAt}"`;
  const dedupKey = JSON.stringify(textAt(page.dedupKey, i));
  return `${own},"dedup_key":${dedupKey}${headerMember(valueAt(page.headers, i))}`;
}

/** The message's own and the pipeline's headers, if there are any. */
function headerMember(list: Uint8Array | null): string {
  const headers = list === null ? [] : decodeHeaders(list).filter(([name]) => !name.startsWith(OWN_HEADERS));
  if (headers.length === 0) return "";
  const texts = headers.map(([name, value]) => [name, value === null ? null : DECODER.decode(value)]);
  return `,"headers":${JSON.stringify(Object.fromEntries(texts))}`;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
