import assert from "node:assert/strict";
import { UserError } from "../../../src/base/errors.ts";
import { connectError, errorCode } from "../../../src/pg/connect_error.ts";

/** As the driver and Node throw them. */
function failure(code: string, message = "the driver's own text"): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("connectError() tells what cannot be reached from what must be corrected", () => {
  const unreachable = [
    "ECONNREFUSED",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ETIMEDOUT",
    "CONNECT_TIMEOUT",
    "CONNECTION_CLOSED",
  ];
  const starting = ["53300", "57P03"];
  const wrong = ["28P01", "28000", "3D000", "42501", "SELF_SIGNED_CERT_IN_CHAIN", "CERT_HAS_EXPIRED"];
  const exitCodes = (codes: readonly string[]) =>
    new Set(codes.map((code) => connectError(failure(code), "h:1/d").exitCode));
  assert.deepEqual([...exitCodes([...unreachable, ...starting])], [3]);
  assert.deepEqual([...exitCodes(wrong)], [2]);
});

Deno.test("connectError() names the target, and repeats what the server said", () => {
  const error = connectError(failure("28P01", 'password authentication failed for user "u"'), "db:5432/app");
  assert.equal(
    error.message,
    "Cannot connect to PostgreSQL at db:5432/app: the server refused the login " +
      '(password authentication failed for user "u")',
  );
  assert.equal(error.code, "POSTGRES_LOGIN_FAILED");
  assert.match(error.advice, /user and password in the URL/);
});

Deno.test("connectError() never repeats the driver's own text, which may quote the URL", () => {
  for (const code of ["ECONNREFUSED", "EPIPE", "UNHEARD_OF", ""]) {
    const error = connectError(failure(code, "postgres://u:s3cret@h/d"), "h:1/d");
    assert.doesNotMatch(`${error.message} ${error.advice}`, /s3cret/, code);
    assert.equal(error.exitCode, 3, code);
  }
});

Deno.test("connectError() shows a failure of the server that it does not know", () => {
  const error = connectError(failure("XX000", "cache lookup failed"), "h:1/d");
  assert.equal(error.message, "Cannot connect to PostgreSQL at h:1/d: cache lookup failed");
  assert.deepEqual([error.code, error.exitCode], ["POSTGRES_CONNECT_FAILED", 2]);
});

Deno.test("connectError() leaves an error alone that is told already", () => {
  const told = new UserError("Cannot go on", { code: "X", advice: "Do.", exitCode: 2 });
  assert.equal(connectError(told, "h:1/d"), told);
});

Deno.test("errorCode() finds the code of the first of several errors, or none", () => {
  assert.equal(
    errorCode(new AggregateError([failure("ECONNREFUSED"), failure("ENETUNREACH")])),
    "ECONNREFUSED",
  );
  assert.deepEqual([errorCode(new Error("x")), errorCode("x"), errorCode(null)], ["", "", ""]);
});
