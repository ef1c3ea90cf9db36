/**
 * What a reader must get of a record that was given to the sink.
 *
 * @module
 */

import type { RecordDraft } from "./kafka_sink.ts";
import type { ReadRecord } from "./record_batch_reader.ts";

const ENCODER = new TextEncoder();

/** The record as it must be read back: plain arrays of bytes, whole milliseconds. */
export function expectedRecord({ key, value, headers = [], createdMs }: RecordDraft): ReadRecord {
  return {
    timestamp: Math.floor(createdMs!),
    key: bytesOf(key),
    value: bytesOf(value),
    headers: headers.map(([name, given]) => [name, bytesOf(given)] as const),
  };
}

function bytesOf(given: string | Uint8Array | null | undefined): Uint8Array | null {
  if (given === null || given === undefined) return null;
  return typeof given === "string" ? ENCODER.encode(given) : Uint8Array.from(given);
}
