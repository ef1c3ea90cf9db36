/**
 * The messages of the benchmark: order events of 270 bytes, as PostgreSQL renders them, no two alike. Pure.
 *
 * @module
 */

/** Bytes of a payload, as text, unless said. */
export const PAYLOAD_BYTES = 270;

/** How many keys the messages have; each key's messages keep their order. */
export const KEYS = 1_000;

/** How each payload starts. */
const START = new TextEncoder().encode('{"seq": ');

const STATUSES = ["created", "paid", "packed", "shipped", "delivered", "returned"] as const;
const WORDS =
  "please ring the bell twice and leave it with a neighbour or behind green door on left side of yard gift wrap fragile"
    .split(" ");

/**
 * The payload of message `seq`, of so many bytes, in the form in which `jsonb` renders it: members by length of name, then by name, a space
 * after each colon and comma. `seq` comes first, so that a reader finds it without parsing; see {@link seqOf}.
 */
export function payloadOf(seq: number, bytes = PAYLOAD_BYTES): string {
  const random = generator(seq);
  const status = STATUSES[random() % STATUSES.length]!;
  const placed = new Date(1_767_225_600_000 + random() % 31_536_000_000).toISOString();
  const order = [0, 1, 2, 3].map(() => random().toString(16).padStart(8, "0")).join("");
  const start = `{"seq": ${seq}, "sku": "SKU-${random() % 10_000}", "total": ${random() % 100_000 + 1}, ` +
    `"status": "${status}", "comment": "`;
  const end = `", "currency": "EUR", "customer": "c-${random() % 100_000}", "order_id": "${order}", ` +
    `"placed_at": "${placed}"}`;
  return start + comment(random, bytes - start.length - end.length) + end;
}

/** The key of message `seq`: scattered, so that neighbours go to different partitions. */
export function keyOf(seq: number): string {
  return `order-${generator(seq ^ 0x5bd1e995)() % KEYS}`;
}

/** The number of a message, from the bytes of its payload. @throws RangeError when it is none of the benchmark's */
export function seqOf(payload: Uint8Array): number {
  let seq = 0;
  let i = START.length;
  for (; i < payload.length; i++) {
    const digit = payload[i]! - 48;
    if (digit < 0 || digit > 9) break;
    seq = seq * 10 + digit;
  }
  if (seq === 0 || !START.every((byte, at) => payload[at] === byte)) {
    const shown = new TextDecoder().decode(payload.subarray(0, 24));
    throw new RangeError(`Cannot read a message's number: the payload starts "${shown}"`);
  }
  return seq;
}

/** The header that says which of several topics a message goes to, by its number. */
export const TOPIC_HEADER = "topic";

/**
 * The messages `from` to `from + count - 1` as `tide.outbox_publish_many` takes them.
 *
 * @param topics how many topics their headers spread them over; they have no headers without it
 */
export function messagesJson(from: number, count: number, topics?: number): string {
  const messages = Array.from({ length: count }, (_, i) => {
    const seq = from + i;
    const headers = topics === undefined ? "" : `"headers":{"${TOPIC_HEADER}":"${seq % topics}"},`;
    return `{"dedup_key":"${keyOf(seq)}",${headers}"payload":${payloadOf(seq)}}`;
  });
  return `[${messages.join(",")}]`;
}

function comment(random: () => number, length: number): string {
  let text = "";
  while (text.length < length) text += `${WORDS[random() % WORDS.length]!} `;
  return text.slice(0, length);
}

/** Numbers below 2^32 that depend on the seed alone (mulberry32). */
function generator(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
