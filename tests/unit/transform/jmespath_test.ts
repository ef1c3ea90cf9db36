import { columnOf, textAt } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import type { Page } from "../../../src/record/page.ts";
import { compileTransform } from "../../../src/transform/jmespath.ts";
import type { Transformed } from "../../../src/transform/mod.ts";

function pageOf(
  payloads: readonly string[],
  headers: readonly (string | null)[] = payloads.map(() => null),
): Page {
  const count = payloads.length;
  return {
    count,
    ids: Float64Array.from({ length: count }, (_, i) => 100 + i),
    createdMs: Float64Array.from({ length: count }, (_, i) => i),
    ops: Uint8Array.from({ length: count }, (_, i) => i % 3),
    dedupKey: columnOf(payloads.map((_, i) => i === 1 ? null : `key-${i}`)),
    payload: columnOf(payloads),
    headers: columnOf(headers),
    previous: columnOf(payloads.map(() => null)),
  };
}

function transformed(page: Page, filter: string | null, payload: string | null): Transformed {
  const { transform, problems } = compileTransform({ filter, payload, outbox: "orders" });
  assert.deepEqual(problems, []);
  return transform!(page);
}

function payloadsOf({ page }: Transformed): (string | null)[] {
  return page === null ? [] : Array.from({ length: page.count }, (_, i) => textAt(page.payload, i));
}

Deno.test("compileTransform() passes the page itself without an expression", () => {
  const page = pageOf(["not even JSON"]);
  const result = transformed(page, null, null);
  assert.equal(result.page, page);
  assert.deepEqual(result, { page, origin: null, rejected: [] });
});

Deno.test("compileTransform() filters by the specification's truth and keeps the order", () => {
  const page = pageOf(['{"n":0}', '{"n":null}', '{"n":[]}', '{"n":"x"}', '{"n":false}', '{"n":{"a":1}}']);
  const result = transformed(page, "n", null);
  assert.deepEqual(payloadsOf(result), ['{"n":0}', '{"n":"x"}', '{"n":{"a":1}}']);
  assert.deepEqual([...result.origin!], [0, 3, 5]);
  assert.deepEqual([...result.page!.ids], [100, 103, 105]);
  assert.deepEqual([...result.page!.ops], [0, 0, 2]);
  assert.equal(textAt(result.page!.dedupKey, 1), "key-3");
  assert.equal(result.page!.payload.bytes, page.payload.bytes);
});

Deno.test("compileTransform() projects and keeps digits", () => {
  const result = transformed(
    pageOf(['{"id":12345678901234567890,"p":10.00,"x":1}', '{"id":1}']),
    null,
    "{id: id, p: p}",
  );
  assert.deepEqual(payloadsOf(result), ['{"id":12345678901234567890,"p":10.00}', '{"id":1,"p":null}']);
  assert.equal(result.origin, null);
});

Deno.test("compileTransform() rejects a message that an expression throws on, alone, and says which expression", () => {
  const page = pageOf(['{"a":[1]}', '{"a":["x"]}', "not JSON", '{"a":[2]}']);
  const result = transformed(page, "sum(a) > `0`", "a");
  assert.deepEqual(payloadsOf(result), ["[1]", "[2]"]);
  assert.deepEqual([...result.origin!], [0, 3]);
  assert.deepEqual(result.rejected.map(({ row, code }) => [row, code]), [[1, "TRANSFORM_FAILED"], [
    2,
    "TRANSFORM_FAILED",
  ]]);
  assert.match(result.rejected[0]!.reason, /^Cannot evaluate transform\.filter: argument 1 of sum\(\)/);
});

Deno.test("compileTransform() gives no page when nothing goes on", () => {
  assert.deepEqual(transformed(pageOf(["{}"]), "missing", null), { page: null, origin: null, rejected: [] });
});

Deno.test("compileTransform() offers the message's columns", () => {
  const page = pageOf(["{}", "{}", "{}"], ['{"tenant":"a"}', null, null]);
  const result = transformed(page, null, "message()");
  assert.deepEqual(payloadsOf(result).map((text) => JSON.parse(text!)), [
    { op: "insert", id: 100, outbox: "orders", dedup_key: "key-0", headers: { tenant: "a" } },
    { op: "update", id: 101, outbox: "orders", dedup_key: null, headers: {} },
    { op: "delete", id: 102, outbox: "orders", dedup_key: "key-2", headers: {} },
  ]);
});

Deno.test("compileTransform() reports both fields at once", () => {
  const { transform, problems } = compileTransform({ filter: "a =", payload: "nosuch(@)", outbox: "orders" });
  assert.equal(transform, null);
  assert.deepEqual(problems.map(({ field }) => field), ["transform.filter", "transform.payload"]);
  assert.equal(
    problems[0]!.message,
    'Cannot use transform.filter: unexpected "=" at character 3: equality is "==", expected a JMESPath expression',
  );
});

Deno.test("compileTransform() refuses a result that grows beyond bounds without building it", () => {
  const doubling = Array.from({ length: 30 }, () => "[@, @]").join(" | ");
  const { rejected } = transformed(pageOf([JSON.stringify({ x: "y".repeat(1_000) })]), null, doubling);
  assert.equal(rejected[0]!.code, "TRANSFORM_TOO_LARGE");
});

Deno.test("compileTransform() rejects a payload that nests deeper than the stack", () => {
  const deep = "[".repeat(200_000) + "10.00" + "]".repeat(200_000);
  const { rejected } = transformed(pageOf([deep, "[1]"]), null, "[0]");
  assert.deepEqual(rejected.map(({ row, code }) => [row, code]), [[0, "TRANSFORM_TOO_LARGE"]]);
});
