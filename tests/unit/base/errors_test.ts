import assert from "node:assert/strict";
import { messageOf, UserError } from "../../../src/base/errors.ts";

Deno.test("messageOf() has a text for whatever was thrown", () => {
  const several = new AggregateError([new Error("one"), "two"]);
  const thrown = [
    new RangeError("too large"),
    several,
    new AggregateError([new Error("one")], "both"),
    "text",
    7,
    null,
  ];
  assert.deepEqual(thrown.map(messageOf), ["too large", "one; two", "both", "text", "7", "null"]);
});

Deno.test("UserError carries what a user needs, and its cause", () => {
  const cause = new Error("refused");
  const error = new UserError("Cannot connect", { code: "X", advice: "Check.", exitCode: 3, cause });
  assert.deepEqual([error.code, error.advice, error.exitCode, error.problems, error.cause], [
    "X",
    "Check.",
    3,
    [],
    cause,
  ]);
});
