/**
 * Taking some rows out of a page.
 *
 * @module
 */

import type { Column } from "@pg-tide/sdk";
import type { Page, Resent } from "./page.ts";

/** Those values of a column, in that order. The bytes are shared, not copied. */
export function selectColumn(column: Column, rows: Uint32Array): Column {
  const ranges = new Uint32Array(2 * rows.length);
  for (let i = 0; i < rows.length; i++) {
    ranges[2 * i] = column.ranges[2 * rows[i]!]!;
    ranges[2 * i + 1] = column.ranges[2 * rows[i]! + 1]!;
  }
  return { bytes: column.bytes, ranges };
}

/** Those rows of a page, in that order. Bytes are shared with the page. */
export function selectRows(page: Page, rows: Uint32Array): Page {
  return {
    count: rows.length,
    ids: selectNumbers(page.ids, rows),
    createdMs: selectNumbers(page.createdMs, rows),
    ops: Uint8Array.from(rows, (row) => page.ops[row]!),
    dedupKey: selectColumn(page.dedupKey, rows),
    payload: selectColumn(page.payload, rows),
    headers: selectColumn(page.headers, rows),
    previous: selectColumn(page.previous, rows),
    ...(page.resent === undefined ? {} : { resent: selectResent(page.resent, rows) }),
  };
}

function selectResent({ incarnations, retries }: Resent, rows: Uint32Array): Resent {
  return {
    incarnations: Array.from(rows, (row) => incarnations[row]!),
    retries: Uint32Array.from(rows, (row) => retries[row]!),
  };
}

function selectNumbers(numbers: Float64Array, rows: Uint32Array): Float64Array<ArrayBuffer> {
  const selected = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) selected[i] = numbers[rows[i]!]!;
  return selected;
}
