import { columnOf, OPS, textAt } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import { compileRoute } from "../../src/route/router.ts";
import { compileTemplate, isProblem, VARIABLES } from "../../src/route/template.ts";
import { MessageVariables, RouteError } from "../../src/route/variables.ts";
import type { Page } from "../../src/record/page.ts";

/** A message, and a template over it, piece by piece, with what each piece is written as and must become. */
interface Piece {
  readonly written: string;
  /** Null: the message has no such value. */
  readonly rendered: string | null;
}

interface Message {
  readonly id: number;
  readonly op: number;
  readonly dedupKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: Readonly<Record<string, string | number | boolean | null>>;
}

const NAME = fc.stringMatching(/^[a-z][a-z0-9_-]{0,5}$/);
const TEXT = fc.string({ unit: "grapheme", maxLength: 8 });

const MESSAGE: fc.Arbitrary<Message> = fc.record({
  id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  op: fc.nat({ max: OPS.length - 1 }),
  dedupKey: fc.option(TEXT),
  headers: fc.dictionary(NAME, TEXT, { maxKeys: 3, noNullPrototype: true }),
  payload: fc.dictionary(NAME, fc.oneof(TEXT, fc.integer(), fc.boolean(), fc.constant(null)), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
});

/** Doubled braces, so that a text means itself. */
function literal(text: string): Piece {
  return { written: text.replaceAll(/[{}]/g, "$&$&"), rendered: text };
}

function variable(name: string, value: string | null, fallback: string | null): Piece {
  if (fallback === null) return { written: `{${name}}`, rendered: value };
  return { written: `{${name}|${fallback}}`, rendered: value ?? fallback };
}

/** One piece of a template, over this message. */
function pieceOf(message: Message): fc.Arbitrary<Piece> {
  const { id, op, dedupKey, headers, payload } = message;
  const inHeaders = fc.oneof(NAME, fc.constantFrom(...Object.keys(headers), "none"));
  const inPayload = fc.oneof(NAME, fc.constantFrom(...Object.keys(payload), "none"));
  const own = (object: Readonly<Record<string, unknown>>, name: string) =>
    Object.hasOwn(object, name) ? object[name] : null;
  const scalar = (value: unknown) => value === null ? null : String(value);
  const event = own(headers, "event_type") ?? own(payload, "event_type");
  const values = fc.oneof(
    fc.constantFrom<[string, string | null]>(
      ["stream_table", "orders"],
      ["outbox", "orders"],
      ["op", OPS[op]!],
      ["outbox_id", String(id)],
      ["dedup_key", dedupKey],
      ["event_type", scalar(event)],
    ),
    inHeaders.map((name): [string, string | null] => [`header.${name}`, scalar(own(headers, name))]),
    inPayload.map((name): [string, string | null] => [`payload.${name}`, scalar(own(payload, name))]),
  );
  const fallback = fc.option(TEXT.filter((text) => !/[{}]/.test(text)));
  return fc.oneof(
    TEXT.map(literal),
    fc.tuple(values, fallback).map(([[name, value], preset]) => variable(name, value, preset)),
  );
}

function pageOf(message: Message): Page {
  return pageOfAll([message]);
}

function pageOfAll(messages: readonly Message[]): Page {
  return {
    count: messages.length,
    ids: Float64Array.from(messages, ({ id }) => id),
    createdMs: new Float64Array(messages.length),
    ops: Uint8Array.from(messages, ({ op }) => op),
    dedupKey: columnOf(messages.map(({ dedupKey }) => dedupKey)),
    payload: columnOf(messages.map(({ payload }) => JSON.stringify(payload))),
    headers: columnOf(messages.map(({ headers }) => JSON.stringify(headers))),
    previous: columnOf(messages.map(() => null)),
  };
}

Deno.test("a template renders to its pieces, or rejects a message that lacks a value", () => {
  const cases = MESSAGE.chain((message) =>
    fc.tuple(fc.constant(message), fc.array(pieceOf(message), { maxLength: 6 }))
  );
  fc.assert(
    fc.property(cases, ([message, pieces]) => {
      const template = compileTemplate("topic", pieces.map(({ written }) => written).join(""));
      assert.ok(!isProblem(template), JSON.stringify(template));
      const page = pageOf(message);
      assert.equal(textAt(page.payload, 0), JSON.stringify(message.payload));
      const variables = new MessageVariables(page, "orders");
      variables.seek(0);
      const expected = pieces.some(({ rendered }) => rendered === null)
        ? null
        : pieces.map(({ rendered }) => rendered).join("");
      if (expected !== null) assert.equal(variables.render("topic", template), expected);
      else assert.throws(() => variables.render("topic", template), RouteError);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("any text is a template or one problem that names its field", () => {
  const scraps = fc.constantFrom("{", "}", "{{", "|", ".", "payload", "header", ...VARIABLES, "😀", " ");
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(scraps, { maxLength: 10 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (written) => {
      const compiled = compileTemplate("message_key", written);
      if (isProblem(compiled)) {
        assert.equal(compiled.field, "message_key");
        assert.ok(compiled.message.startsWith("Cannot use message_key: "));
        assert.ok(/[{}]/.test(written), "a text without braces is always a template");
      } else {
        const literals = compiled.parts.filter((part) => part.kind === "text");
        assert.ok(literals.every(({ text }) => text !== ""));
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a partition is the number that its template gives, digit by digit, or its message is rejected alone", () => {
  const options = { outbox: "orders", incarnation: "i", topic: "t", messageKey: null, headers: null };
  const { route } = compileRoute({ ...options, partition: "{payload.a|}{payload.b}" });
  const scrap = fc.oneof(
    { weight: 3, arbitrary: fc.nat({ max: 2 ** 20 }).map(String) },
    fc.nat({ max: 2 ** 32 }).map(String),
    fc.stringMatching(/^[0-9]{0,12}$/),
    TEXT,
  );
  const payload = fc.record({ a: fc.option(scrap), b: fc.option(scrap) });
  let given = 0;
  fc.assert(
    fc.property(fc.array(payload, { minLength: 1, maxLength: 8 }), (payloads) => {
      const texts = payloads.map(({ a, b }) => b === null ? null : `${a ?? ""}${b}`);
      const numbers = texts.map((text) => text !== null && /^\d+$/.test(text) ? BigInt(text) : -1n);
      const isNumber = (number: bigint) => number >= 0n && number < 2n ** 31n;
      const rows = numbers.keys().filter((row) => isNumber(numbers[row]!)).toArray();
      const messages = payloads.map((one, i) => ({
        id: i + 1,
        op: 0,
        dedupKey: null,
        headers: {},
        payload: one,
      }));
      const { page, origin, rejected } = route!(pageOfAll(messages));
      assert.deepEqual(Array.from(page?.partition ?? [], BigInt), rows.map((row) => numbers[row]));
      if (page !== null) assert.deepEqual([...origin ?? payloads.keys()], rows);
      assert.deepEqual(
        rejected.map(({ row, code }) => `${row} ${code}`),
        payloads.keys().filter((row) => !rows.includes(row)).map((row) =>
          `${row} ${texts[row] === null ? "TEMPLATE_VALUE_MISSING" : "PARTITION_INVALID"}`
        ).toArray(),
      );
      given += rows.length;
    }),
    { numRuns: 1_000 },
  );
  assert.ok(given > 500, `only ${given} messages had a number`);
});
