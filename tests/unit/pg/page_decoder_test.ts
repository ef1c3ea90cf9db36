import assert from "node:assert/strict";
import { OPS, textAt, valueAt } from "../../../plugins/sdk/mod.ts";
import { InvariantError } from "../../../src/base/invariant.ts";
import { decodePage, type PageRow } from "../../../src/pg/page_decoder.ts";

const ENCODER = new TextEncoder();

/** The texts of a page of two messages, as `tide.read_run_<n>` gives them. */
const TWO = {
  n: "2",
  payloads: '{"a": 1}\n"ü"',
  ids: "7,9007199254740991",
  times: "1700000000.123456,1700000001",
  ops: "ud",
  keys: "kü",
  keyLengths: "3,-1",
  headers: '\n{"h": "1"}',
  previous: "[1]\n",
} as const;

type Texts = { readonly [Name in keyof PageRow]: string | null };

function rowOf(texts: Texts): PageRow {
  const values = Object.entries(texts).map(([name, text]) => [
    name,
    text === null ? null : ENCODER.encode(text),
  ]);
  return Object.fromEntries(values) as PageRow;
}

const decode = (change: Partial<Texts> = {}) => decodePage(rowOf({ ...TWO, ...change }));

Deno.test("decodePage() reads every column of a page", () => {
  const page = decode();
  assert.ok(page !== null);
  assert.equal(page.count, 2);
  assert.deepEqual([...page.ids], [7, Number.MAX_SAFE_INTEGER]);
  assert.deepEqual([...page.createdMs], [1_700_000_000_123.456, 1_700_000_001_000]);
  assert.deepEqual([...page.ops].map((op) => OPS[op]), ["update", "delete"]);
  const texts = (name: "payload" | "dedupKey" | "headers" | "previous") =>
    [0, 1].map((row) => textAt(page[name], row));
  assert.deepEqual(texts("payload"), ['{"a": 1}', '"ü"']);
  assert.deepEqual(texts("dedupKey"), ["kü", null]);
  assert.deepEqual(texts("headers"), [null, '{"h": "1"}']);
  assert.deepEqual(texts("previous"), ["[1]", null]);
});

Deno.test("decodePage() tells an empty key from none, and takes columns without a value as NULLs", () => {
  const page = decode({ keys: "", keyLengths: "0,-1", headers: null, previous: null });
  assert.ok(page !== null);
  assert.deepEqual([0, 1].map((row) => textAt(page.dedupKey, row)), ["", null]);
  const without = decode({ keys: null, keyLengths: "-1,-1" });
  assert.deepEqual([0, 1].map((row) => textAt(without!.dedupKey, row)), [null, null]);
  for (const column of [page.headers, page.previous]) {
    assert.deepEqual([0, 1].map((row) => valueAt(column, row)), [null, null]);
  }
});

Deno.test("decodePage() reads times of any sign and fraction to the microsecond", () => {
  const times = ["0", "-1", "-1.5", "1700000000.5", "1700000000.000001", "-0.25"];
  const values = times.map((time) => decode({ times: `${time},0` })!.createdMs[0]);
  assert.deepEqual(values, [0, -1_000, -1_500, 1_700_000_000_500, 1_700_000_000_000.001, -250]);
});

Deno.test("decodePage() is null at the end of a phase", () => {
  assert.equal(decode({ n: "0" }), null);
});

Deno.test("decodePage() copies out of the driver's buffers, each column into one of its own", () => {
  const row = rowOf(TWO);
  const page = decodePage(row)!;
  for (const view of Object.values(row)) view?.fill(0);
  assert.equal(textAt(page.payload, 0), '{"a": 1}');
  assert.equal(textAt(page.dedupKey, 0), "kü");
  const buffers = [page.payload, page.dedupKey, page.headers, page.previous].map(({ bytes }) => bytes.buffer);
  assert.equal(new Set(buffers).size, 4);
});

Deno.test("decodePage() stops when the columns of a page do not fit together", () => {
  const broken: readonly Partial<Texts>[] = [
    { n: "3" },
    { n: "1" },
    { n: "" },
    { n: "two" },
    { payloads: '{"a": 1}' },
    { payloads: "1\n2\n3" },
    { ids: "7" },
    { ids: "7,8,9" },
    { ids: "8,8" },
    { ids: "9,8" },
    { ids: "7," },
    { ids: "7,-" },
    { ids: "7,8x" },
    { times: "1700000000" },
    { times: "1,2,3" },
    { times: "1,1.5e9" },
    { times: "1,1.x" },
    { ops: "u" },
    { ops: "udd" },
    { ops: "ux" },
    { ops: "\u00fc" },
    { keyLengths: "3" },
    { keyLengths: "3,-1,-1" },
    { keyLengths: "2,-1" },
    { keyLengths: "3,1" },
    { keys: null },
    { headers: "{}" },
    { headers: "{}\n{}\n{}" },
    { previous: "" },
  ];
  for (const change of broken) {
    assert.throws(() => decode(change), InvariantError, JSON.stringify(change));
  }
});
