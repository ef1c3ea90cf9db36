import {
  type Column,
  ColumnBuilder,
  columnLength,
  columnOf,
  NULL_RANGE,
  nullColumn,
  textAt,
  valueAt,
} from "@pg-tide/sdk";
import assert from "node:assert/strict";
import fc from "fast-check";

const textsOf = (column: Column) => Array.from({ length: columnLength(column) }, (_, i) => textAt(column, i));

Deno.test("columnOf() tells NULL from the empty value", () => {
  const column = columnOf(["a", null, "", Uint8Array.of(0xff, 0)]);
  assert.deepEqual(textsOf(column).slice(0, 3), ["a", null, ""]);
  assert.deepEqual(valueAt(column, 3), Uint8Array.of(0xff, 0));
  assert.equal(column.ranges[2], NULL_RANGE);
  assert.deepEqual(textsOf(nullColumn(2)), [null, null]);
  assert.equal(columnLength(columnOf([])), 0);
});

Deno.test("columnOf() gives back every text and every byte", () => {
  const text = fc.string({ unit: "grapheme" }).map((one) => one.toWellFormed());
  const value = fc.oneof(text, fc.uint8Array(), fc.constant(null), fc.constant("\uFEFFmarked"));
  fc.assert(fc.property(fc.array(value), (values) => {
    const column = columnOf(values);
    assert.equal(columnLength(column), values.length);
    for (const [i, one] of values.entries()) {
      if (typeof one === "string") assert.equal(textAt(column, i), one);
      else assert.deepEqual(valueAt(column, i), one === null ? null : Uint8Array.from(one));
    }
  }));
});

Deno.test("ColumnBuilder grows beyond its hint, shares repeated values, and gives what was appended only", () => {
  const builder = new ColumnBuilder(5, 0);
  builder.appendText("x".repeat(1_000));
  builder.repeat();
  builder.appendNull();
  builder.append(new Uint8Array(10_000).fill(7));
  assert.equal(builder.byteLength, 11_000);
  const column = builder.finish();
  assert.equal(columnLength(column), 4);
  assert.equal(column.bytes.length, 11_000);
  assert.deepEqual(column.ranges.slice(0, 2), column.ranges.slice(2, 4));
  assert.deepEqual(valueAt(column, 3), new Uint8Array(10_000).fill(7));
});

Deno.test("valueAt() is a view on the column's bytes", () => {
  const column = columnOf(["ab"]);
  column.bytes[0] = "x".charCodeAt(0);
  assert.equal(textAt(column, 0), "xb");
});
