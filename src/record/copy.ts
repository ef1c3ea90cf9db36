/**
 * Copies of pages. What crosses a Worker's border is transferred, so the sender loses it; the kernel gives away a copy and keeps
 * the original until every record has its outcome, to send it again after a fault or a dead Worker.
 *
 * @module
 */

import type { Column, MessagePage, RecordPage } from "@pg-tide/sdk";

/** A copy of a page of records that shares no buffer with it. */
export function copyRecords(page: RecordPage): RecordPage {
  return {
    count: page.count,
    ids: page.ids.slice(),
    createdMs: page.createdMs.slice(),
    topics: page.topics,
    topic: page.topic.slice(),
    ...(page.partition === undefined ? {} : { partition: page.partition.slice() }),
    key: copyColumn(page.key),
    value: copyColumn(page.value),
    headers: copyColumn(page.headers),
  };
}

/** A copy of some of a page's records, in order. */
export function pickRecords(page: RecordPage, records: Uint32Array): RecordPage {
  const { partition } = page;
  return {
    count: records.length,
    ids: Float64Array.from(records, (i) => page.ids[i]!),
    createdMs: Float64Array.from(records, (i) => page.createdMs[i]!),
    topics: page.topics,
    topic: Uint16Array.from(records, (i) => page.topic[i]!),
    ...(partition === undefined ? {} : { partition: Int32Array.from(records, (i) => partition[i]!) }),
    key: pick(page.key, records),
    value: pick(page.value, records),
    headers: pick(page.headers, records),
  };
}

/** A copy of a page of messages that shares no buffer with it. */
export function copyMessages(page: MessagePage): MessagePage {
  return {
    count: page.count,
    ids: page.ids.slice(),
    createdMs: page.createdMs.slice(),
    ops: page.ops.slice(),
    topics: page.topics,
    topic: page.topic.slice(),
    ...(page.partition === undefined ? {} : { partition: page.partition.slice() }),
    key: copyColumn(page.key),
    headers: copyColumn(page.headers),
    payload: copyColumn(page.payload),
    previous: copyColumn(page.previous),
    dedupKey: copyColumn(page.dedupKey),
  };
}

function copyColumn(column: Column): Column {
  return { bytes: column.bytes.slice(), ranges: column.ranges.slice() };
}

function pick(column: Column, rows: Uint32Array): Column {
  const ranges = new Uint32Array(2 * rows.length);
  for (let i = 0; i < rows.length; i++) {
    ranges[2 * i] = column.ranges[2 * rows[i]!]!;
    ranges[2 * i + 1] = column.ranges[2 * rows[i]! + 1]!;
  }
  return { bytes: column.bytes.slice(), ranges };
}
