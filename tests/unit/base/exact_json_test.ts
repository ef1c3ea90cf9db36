import assert from "node:assert/strict";
import fc from "fast-check";
import { ExactNumber, parseExact } from "../../../src/base/exact_json.ts";

Deno.test("parseExact() keeps numbers that a double would write differently", () => {
  const texts = [
    "12345678901234567890",
    "10.00",
    "-0",
    "1e5",
    "1E-7",
    "0.1000",
    "1e400",
    "123456789.123456789123",
  ];
  for (const text of texts) {
    const value = parseExact(text);
    assert.ok(value instanceof ExactNumber, text);
    assert.equal(value.value, Number(text));
    assert.equal(JSON.stringify([value]), `[${text}]`);
  }
});

Deno.test("parseExact() gives plain numbers where nothing is lost", () => {
  for (const text of ["0", "1", "-17", "0.1", "9007199254740991", "1.5"]) {
    assert.equal(parseExact(text), Number(text), text);
  }
  assert.deepEqual(parseExact('{"a": [1, "10.00", null, true]}'), { a: [1, "10.00", null, true] });
});

Deno.test("parseExact() throws a SyntaxError on text that is not JSON", () => {
  for (const text of ["", "{", "1.00,", "NaN", "'a'"]) {
    assert.throws(() => parseExact(text), SyntaxError, text);
  }
});

/** A number as a person or PostgreSQL may write it. */
const NUMBER_TEXT = fc.tuple(
  fc.constantFrom("", "-"),
  fc.bigInt({ min: 0n, max: 10n ** 30n }),
  fc.option(fc.stringMatching(/^[0-9]{1,20}$/)),
  fc.option(fc.stringMatching(/^[eE][-+]?[0-9]{1,2}$/)),
).map(([sign, whole, fraction, exponent]) =>
  `${sign}${whole}${fraction === null ? "" : `.${fraction}`}${exponent ?? ""}`
);

/** JSON as it would be written, piece by piece, without white space. */
const { json: JSON_TEXT } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    NUMBER_TEXT,
    fc.oneof(fc.string(), NUMBER_TEXT).map((text) => JSON.stringify(text)),
    fc.constantFrom("null", "true", "false"),
    fc.array(tie("json"), { maxLength: 4 }).map((items) => `[${items.join(",")}]`),
    fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 3 }).chain((names) =>
      fc.tuple(...names.map(() => tie("json"))).map((values) =>
        `{${names.map((name, i) => `"${name}":${values[i]}`).join(",")}}`
      )
    ),
  ),
}));

Deno.test("parseExact() and JSON.stringify() give every text back digit for digit", () => {
  fc.assert(fc.property(JSON_TEXT, (text) => assert.equal(JSON.stringify(parseExact(text)), text)));
});
