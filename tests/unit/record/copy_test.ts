import { columnLength, textAt } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { copyMessages, copyRecords, pickRecords } from "../../../src/record/copy.ts";
import { pageOf, recordsOf } from "../../support/pages.ts";

/** Every buffer of a page. */
function buffersOf(page: object): Set<ArrayBufferLike> {
  return new Set(
    Object.values(page).flatMap((part) =>
      ArrayBuffer.isView(part) ? [part.buffer] : part?.bytes ? [part.bytes.buffer, part.ranges.buffer] : []
    ),
  );
}

Deno.test("copies are equal and share no buffer, so that one may be transferred", () => {
  const page = pageOf([1, 2, 3]);
  const records = { ...recordsOf(page), partition: Int32Array.of(2, -1, 0) };
  const messages = { ...page, ...records, payload: page.payload, previous: page.previous };
  for (
    const [original, copy] of [[records, copyRecords(records)], [messages, copyMessages(messages)]] as const
  ) {
    assert.deepEqual(copy.partition, Int32Array.of(2, -1, 0));
    for (const [name, part] of Object.entries(copy)) {
      assert.deepEqual(part, Reflect.get(original, name), name);
    }
    assert.deepEqual([...buffersOf(original)].filter((buffer) => buffersOf(copy).has(buffer)), []);
  }
});

Deno.test("copies of pages whose records name no partition have no column for them", () => {
  const page = pageOf([1]);
  const records = recordsOf(page);
  const messages = { ...page, ...records, payload: page.payload, previous: page.previous };
  for (
    const copy of [copyRecords(records), pickRecords(records, Uint32Array.of(0)), copyMessages(messages)]
  ) {
    assert.ok(!("partition" in copy));
  }
});

Deno.test("pickRecords() takes some records, in order, and shares no buffer", () => {
  const records = { ...recordsOf(pageOf([5, 6, 7, 8])), partition: Int32Array.of(9, -1, 9, 3) };
  const picked = pickRecords(records, Uint32Array.of(1, 3));
  assert.equal(picked.count, 2);
  assert.deepEqual([...picked.ids], [6, 8]);
  assert.deepEqual([...picked.partition!], [-1, 3]);
  assert.equal(columnLength(picked.value), 2);
  assert.deepEqual([textAt(picked.value, 0), textAt(picked.key, 1)], [`{"id":6}`, "k0"]);
  assert.deepEqual([...buffersOf(records)].filter((buffer) => buffersOf(picked).has(buffer)), []);
});
