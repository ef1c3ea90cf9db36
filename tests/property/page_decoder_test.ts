/**
 * The decoder of pages against one that splits strings.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Column, OPS, valueAt } from "../../plugins/sdk/mod.ts";
import { InvariantError } from "../../src/base/invariant.ts";
import { decodePage, type PageRow } from "../../src/pg/page_decoder.ts";

interface Message {
  readonly id: number;
  /** Microseconds since 1970. */
  readonly micros: bigint;
  readonly op: number;
  readonly key: string | null;
  readonly payload: string;
  readonly headers: string | null;
  readonly previous: string | null;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** As PostgreSQL writes a double: no fraction where there is none, no zeros at its end. */
function secondsOf(micros: bigint): string {
  const sign = micros < 0n ? "-" : "";
  const abs = micros < 0n ? -micros : micros;
  const fraction = String(abs % 1_000_000n).padStart(6, "0").replace(/0+$/, "");
  return `${sign}${abs / 1_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}

/** What `tide.read_run_<n>` gives for these messages. */
function rowOf(messages: readonly Message[]): PageRow {
  const lines = (values: readonly (string | null)[]) =>
    values.every((value) => value === null) ? null : values.map((value) => value ?? "").join("\n");
  const keys = messages.map(({ key }) => key).filter((key) => key !== null);
  const texts: Record<keyof PageRow, string | null> = {
    n: String(messages.length),
    payloads: messages.map(({ payload }) => payload).join("\n"),
    ids: messages.map(({ id }) => id).join(","),
    times: messages.map(({ micros }) => secondsOf(micros)).join(","),
    ops: messages.map(({ op }) => "iudrt"[op]).join(""),
    keys: keys.length === 0 ? null : keys.join(""),
    keyLengths: messages.map(({ key }) => key === null ? -1 : ENCODER.encode(key).length).join(","),
    headers: lines(messages.map(({ headers }) => headers)),
    previous: lines(messages.map(({ previous }) => previous)),
  };
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, text === null ? null : ENCODER.encode(text)]),
  ) as unknown as PageRow;
}

function texts(column: Column, count: number): (string | null)[] {
  return Array.from({ length: count }, (_, row) => {
    const value = valueAt(column, row);
    return value === null ? null : DECODER.decode(value);
  });
}

const json = fc.json();
const message = fc.record({
  micros: fc.bigInt({ min: -4_000_000_000_000_000n, max: 4_000_000_000_000_000n }),
  op: fc.nat(OPS.length - 1),
  key: fc.option(fc.string({ unit: "grapheme", maxLength: 12 })),
  payload: json,
  headers: fc.option(json),
  previous: fc.option(json),
});
const ids = (count: number) =>
  fc.uniqueArray(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), {
    minLength: count,
    maxLength: count,
  });
const messages: fc.Arbitrary<Message[]> = fc.array(message, { minLength: 1, maxLength: 40 }).chain((some) =>
  ids(some.length).map((drawn) => {
    const rising = drawn.sort((a, b) => a - b);
    return some.map((one, i) => ({ ...one, id: rising[i]! }));
  })
);

Deno.test("decodePage() gives what was put into a page's row", () => {
  fc.assert(fc.property(messages, (given) => {
    const page = decodePage(rowOf(given));
    assert.ok(page !== null);
    const count = given.length;
    assert.equal(page.count, count);
    assert.deepEqual([...page.ids], given.map(({ id }) => id));
    assert.deepEqual([...page.ops], given.map(({ op }) => op));
    assert.deepEqual(
      [...page.createdMs].map((ms) => BigInt(Math.round(1_000 * ms))),
      given.map(({ micros }) => micros),
    );
    assert.deepEqual(texts(page.payload, count), given.map(({ payload }) => payload));
    assert.deepEqual(texts(page.dedupKey, count), given.map(({ key }) => key));
    assert.deepEqual(texts(page.headers, count), given.map(({ headers }) => headers));
    assert.deepEqual(texts(page.previous, count), given.map(({ previous }) => previous));
  }));
});

Deno.test("decodePage() stops when any column has one value too few or too many", () => {
  const columns = ["payloads", "ids", "times", "ops", "keyLengths"] as const;
  fc.assert(fc.property(messages, fc.constantFrom(...columns), fc.boolean(), (given, column, more) => {
    const last = given.at(-1)!;
    const wrong = more ? [...given, { ...last, id: last.id + 1 }] : given.slice(0, -1);
    fc.pre(wrong.length > 0 && last.id < Number.MAX_SAFE_INTEGER);
    const row = { ...rowOf(given), [column]: rowOf(wrong)[column] };
    assert.throws(() => decodePage(row), InvariantError);
  }));
});
