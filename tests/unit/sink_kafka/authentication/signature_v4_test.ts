import assert from "node:assert/strict";
import { presign, uriEncoded } from "../../../../plugins/sink_kafka/authentication/signature_v4.ts";

const KEYS = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

const SESSION =
  "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkP" +
  "pKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7Z" +
  "D0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

/** From AWS's own suite for Signature Version 4, by the names of its cases (aws-c-auth, tests/aws-signing-test-suite/v4). */
const SUITE = [
  {
    name: "get-vanilla",
    signature: "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
  },
  {
    name: "get-vanilla-with-session-token",
    keys: { ...KEYS, sessionToken: "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267" },
    signature: "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
  },
  {
    name: "post-sts-header-before",
    method: "POST",
    keys: { ...KEYS, sessionToken: SESSION },
    signature: "46c2e3c63c1dbe7d39f8ada16fe7f001c1f56c5791441565323677f96308871c",
  },
  {
    name: "get-vanilla-query-order-encoded",
    query: { "Param-3": "Value3", "Param": "Value2", "\u1234": "Value1" },
    signature: "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787",
  },
] as const;

for (const { name, signature, ...given } of SUITE) {
  Deno.test(`presign() signs as AWS's suite says: ${name}`, () => {
    const { keys, method, query } = { keys: KEYS, method: "GET", query: {}, ...given } as const;
    const signed = presign(keys, {
      method,
      host: "example.amazonaws.com",
      query,
      service: "service",
      region: "us-east-1",
      expiresS: 3_600,
      atMs: Date.parse("2015-08-30T12:36:00Z"),
    });
    assert.equal(new URLSearchParams(signed).get("X-Amz-Signature"), signature);
  });
}

Deno.test("uriEncoded() leaves only the unreserved characters of RFC 3986", () => {
  assert.equal(uriEncoded("AZaz09-._~"), "AZaz09-._~");
  assert.equal(uriEncoded("!'()* /+=:é"), "%21%27%28%29%2A%20%2F%2B%3D%3A%C3%A9");
});
