/**
 * Pages made by hand.
 *
 * @module
 */

import { columnOf, nullColumn, type RecordPage } from "../../plugins/sdk/mod.ts";
import type { Page } from "../../src/record/page.ts";
import type { Mark, Window } from "../../src/record/position.ts";

/** A page of messages with these ids; payloads are `{"id":…}`, keys `k0` to `k3`. */
export function pageOf(ids: readonly number[]): Page {
  return {
    count: ids.length,
    ids: Float64Array.from(ids),
    createdMs: Float64Array.from(ids, (id) => 1_700_000_000_000 + id),
    ops: new Uint8Array(ids.length),
    dedupKey: columnOf(ids.map((id) => `k${id % 4}`)),
    payload: columnOf(ids.map((id) => `{"id":${id}}`)),
    headers: nullColumn(ids.length),
    previous: nullColumn(ids.length),
  };
}

/** The records of a page of messages, all to one topic. */
export function recordsOf(page: Page, topic = "t"): RecordPage {
  return {
    count: page.count,
    ids: page.ids,
    createdMs: page.createdMs,
    topics: [topic],
    topic: new Uint16Array(page.count),
    key: page.dedupKey,
    value: page.payload,
    headers: columnOf(Array.from({ length: page.count }, () => Uint8Array.of(0))),
  };
}

/** A mark whose snapshot shows nothing open. */
export function markOf(xid: number, topId: number): Mark {
  return { snapshot: `${xid}:${xid}:`, topId, nextXid: String(xid) };
}

/**
 * A window between two marks with nothing open. Its transaction ids are such as any server has given out: greater ones would
 * look like those of another server.
 */
export function windowOf(number: number, fromId: number, toId: number): Window {
  return { number, lower: markOf(9 + number, fromId), upper: markOf(10 + number, toId) };
}
