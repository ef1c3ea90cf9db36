/**
 * A record as one line of JSON.
 *
 * @module
 */

import { decodeHeaders, type RecordPage, textAt, valueAt } from "@pg-tide/sdk";

const STRICT = new TextDecoder("utf-8", { fatal: true });
const LENIENT = new TextDecoder();

/**
 * Record `i` as a line of JSON: `id`, `topic`, `partition` where it names one, `key`, `headers`, `timestamp`, then its value. A value that is JSON stands there
 * as it is, digit for digit, as `value`; another text as `value_text`; other bytes as `value_base64`.
 */
export function lineOf(page: RecordPage, i: number): string {
  const partition = page.partition?.[i] ?? -1;
  const record = {
    id: page.ids[i],
    topic: page.topics[page.topic[i]!],
    ...(partition < 0 ? {} : { partition }),
    key: textAt(page.key, i),
    headers: headersOf(valueAt(page.headers, i)),
    timestamp: new Date(page.createdMs[i]!).toISOString(),
  };
  return `${JSON.stringify(record).slice(0, -1)},${valueMember(valueAt(page.value, i))}}`;
}

function headersOf(list: Uint8Array | null): Record<string, string | null> {
  const headers = list === null ? [] : decodeHeaders(list);
  return Object.fromEntries(
    headers.map(([name, value]) => [name, value === null ? null : LENIENT.decode(value)]),
  );
}

function valueMember(value: Uint8Array | null): string {
  if (value === null) return `"value":null`;
  const text = textOf(value);
  if (text === null) return `"value_base64":${JSON.stringify(value.toBase64())}`;
  return isJsonLine(text) ? `"value":${text}` : `"value_text":${JSON.stringify(text)}`;
}

function textOf(value: Uint8Array): string | null {
  try {
    return STRICT.decode(value);
  } catch {
    return null;
  }
}

function isJsonLine(text: string): boolean {
  if (/[\n\r]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
