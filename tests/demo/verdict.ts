/**
 * What came of a load: published messages compared with the records of a topic.
 *
 * @module
 */

/** A message whose transaction has committed. */
export interface PublishedMessage {
  /** Of this message alone. */
  readonly id: string;
  readonly key: string;
  /** Its place among the messages of its key, in the order in which their transactions held the key's lock. */
  readonly place: number;
}

/** A record as it was read back. */
export interface ArrivedRecord {
  /** The id of the message that it carries. */
  readonly id: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** The figures. `published` is `delivered` and `lost`; the records are `delivered`, `duplicated` and `unexpected`. */
export interface Verdict {
  readonly published: number;
  /** Messages that arrived at least once. */
  readonly delivered: number;
  /** Messages that never arrived. */
  readonly lost: number;
  /** Records beyond the first of a message. */
  readonly duplicated: number;
  /** Messages whose first record comes after the first record of a later message of the same key. */
  readonly outOfOrder: number;
  /** Records of no committed message: of one that was rolled back, or of nobody. */
  readonly unexpected: number;
}

/** Compare what was published with what arrived, in any order. */
export function judge(
  published: readonly PublishedMessage[],
  records: readonly ArrivedRecord[],
): Verdict {
  const messages = new Map(published.map((message) => [message.id, message]));
  const first: { record: ArrivedRecord; message: PublishedMessage }[] = [];
  const seen = new Set<string>();
  let duplicated = 0;
  let unexpected = 0;
  for (const record of records.toSorted(byOffset)) {
    const message = messages.get(record.id);
    if (message === undefined) unexpected++;
    else if (seen.has(record.id)) duplicated++;
    else {
      seen.add(record.id);
      first.push({ record, message });
    }
  }
  return {
    published: messages.size,
    delivered: seen.size,
    lost: messages.size - seen.size,
    duplicated,
    outOfOrder: countOutOfOrder(first),
    unexpected,
  };
}

/** Whether nothing that was promised is broken: duplicates after a crash are not. */
export function isGood({ lost, outOfOrder, unexpected }: Verdict): boolean {
  return lost === 0 && outOfOrder === 0 && unexpected === 0;
}

function byOffset(one: ArrivedRecord, other: ArrivedRecord): number {
  return one.partition - other.partition || Number(one.offset - other.offset);
}

/** The order of a key is that of its partition; what stands in another partition has no order with the rest. */
function countOutOfOrder(
  first: readonly { readonly record: ArrivedRecord; readonly message: PublishedMessage }[],
): number {
  const keys = new Map<string, { readonly partition: number; place: number }>();
  let count = 0;
  for (const { record: { partition }, message: { key, place } } of first) {
    const known = keys.get(key);
    if (known === undefined) keys.set(key, { partition, place });
    else if (known.partition !== partition || place < known.place) count++;
    else known.place = place;
  }
  return count;
}

/** Latencies, in milliseconds; null where nothing arrived. */
export interface Latency {
  readonly p50: number | null;
  readonly p99: number | null;
}

/** The median and the 99th percentile, by nearest rank. */
export function latencyOf(milliseconds: readonly number[]): Latency {
  const sorted = milliseconds.toSorted((one, other) => one - other);
  const rank = (share: number) => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    return value === undefined ? null : Math.round(value * 10) / 10;
  };
  return { p50: rank(0.5), p99: rank(0.99) };
}

/**
 * Records a second, from the first append to the last, by the broker's clock. Those of the first millisecond are the
 * start and not counted.
 */
export function ratePerSecond(timestamps: readonly number[]): number {
  const start = timestamps.reduce((least, time) => Math.min(least, time), Infinity);
  const end = timestamps.reduce((most, time) => Math.max(most, time), -Infinity);
  const counted = timestamps.filter((time) => time > start).length;
  return counted === 0 ? timestamps.length * 1000 : Math.round(counted * 1000 / (end - start));
}

/** The longest time in which nothing was appended, in milliseconds. */
export function longestPause(timestamps: readonly number[]): number {
  const sorted = timestamps.toSorted((one, other) => one - other);
  return sorted.reduce((most, time, i) => Math.max(most, time - (sorted[i - 1] ?? time)), 0);
}
