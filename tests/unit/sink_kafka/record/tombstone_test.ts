import assert from "node:assert/strict";
import { NULL_RANGE, textAt } from "@pg-tide/sdk";
import { withTombstones } from "../../../../plugins/sink_kafka/record/tombstone.ts";
import { recordPage } from "../../../support/kafka_sink.ts";

const texts = (values: readonly (string | null)[]) => {
  const page = withTombstones(recordPage("t", values.map((value) => ({ key: "k", value }))));
  return values.map((_, i) => textAt(page.value, i));
};

Deno.test("withTombstones() takes away the JSON text null and nothing else", () => {
  const others = ["nul", "nulls", '"null"', "NULL", " null", "", "[null]", "null null", "{}"];
  assert.deepEqual(texts(["null", ...others, "null", null]), [null, ...others, null, null]);
});

Deno.test("withTombstones() reads values where they stand in a larger buffer", () => {
  const page = recordPage("t", [{ value: "null" }, { value: "nul" }, { value: "l" }]);
  const shifted = new Uint8Array(page.value.bytes.length + 3);
  shifted.set(page.value.bytes, 3);
  const value = { bytes: shifted.subarray(3), ranges: page.value.ranges };
  assert.deepEqual([...withTombstones({ ...page, value }).value.ranges], [
    NULL_RANGE,
    NULL_RANGE,
    ...page.value.ranges.slice(2),
  ]);
});

Deno.test("withTombstones() changes nothing of the page that was given", () => {
  const page = recordPage("t", [{ value: "null" }, { value: "x" }]);
  const before = page.value.ranges.slice();
  assert.notEqual(withTombstones(page), page);
  assert.deepEqual(page.value.ranges, before);
  const plain = recordPage("t", [{ value: "1" }]);
  assert.equal(withTombstones(plain), plain, "no copy without need");
});
