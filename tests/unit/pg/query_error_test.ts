import assert from "node:assert/strict";
import { FencedError, UserError } from "../../../src/base/errors.ts";
import { InvariantError } from "../../../src/base/invariant.ts";
import { queryError } from "../../../src/pg/query_error.ts";
import { SourceError } from "../../../src/read/mod.ts";

const failure = (code: string, text: string) => Object.assign(new Error(text), { code });

Deno.test("queryError() takes everything that passes by itself for an outage, and says it in words", () => {
  const cases: readonly (readonly [Error, string])[] = [
    [failure("57P01", "terminating connection"), "PostgreSQL answered with an error: terminating connection"],
    [failure("XX000", "out of luck"), "PostgreSQL answered with an error: out of luck"],
    [
      failure("CONNECTION_CLOSED", "write CONNECTION_CLOSED h:1"),
      "PostgreSQL did not answer: the connection was lost",
    ],
    [failure("EPIPE", "Broken pipe"), "PostgreSQL did not answer: the connection was lost"],
    [
      failure("ECONNREFUSED", "connect ECONNREFUSED ::1:5432"),
      "PostgreSQL did not answer: the connection was refused",
    ],
    [new Error("no answer within 60 s"), "PostgreSQL did not answer: no answer within 60 s"],
  ];
  for (const [error, expected] of cases) {
    const told = queryError(error);
    assert.ok(told instanceof SourceError);
    assert.equal(told.message, expected);
    assert.equal(told.cause, error);
  }
});

Deno.test("queryError() asks a person where rights or the login are refused", () => {
  for (const code of ["42501", "28P01", "28000"]) {
    const told = queryError(failure(code, "permission denied for table lease"));
    assert.ok(told instanceof UserError);
    assert.match(told.message, /permission denied for table lease/);
    assert.match(told.advice, /tide\.grant_relay/);
  }
});

Deno.test("queryError() leaves errors alone that say already what they mean to a session", () => {
  const known = [
    new FencedError("lost"),
    new SourceError("another life"),
    new InvariantError("broken"),
    new UserError("no", { code: "C", advice: "", exitCode: 2 }),
  ];
  for (const error of known) assert.equal(queryError(error), error);
});
