import assert from "node:assert/strict";
import { lifeOf } from "../../../../plugins/sink_kafka/authentication/token.ts";

const NOW_MS = 1_800_000_000_000;

/** An unsigned JSON Web Token: nobody here verifies it. */
function jwt(claims: unknown): string {
  const part = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
  return `${part({ alg: "none" })}.${part(claims)}.`;
}

Deno.test("lifeOf() believes the server, also one that writes the number as a text", () => {
  assert.equal(lifeOf("opaque", 3_600, NOW_MS), 3_600_000);
  assert.equal(lifeOf("opaque", "3599", NOW_MS), 3_599_000);
});

Deno.test("lifeOf() reads the token when the server says nothing", () => {
  assert.equal(lifeOf(jwt({ exp: 5_000, iat: 1_400 }), undefined, NOW_MS), 3_600_000);
  assert.equal(lifeOf(jwt({ exp: NOW_MS / 1_000 + 60 }), undefined, NOW_MS), 60_000);
  assert.equal(lifeOf(jwt({ exp: NOW_MS / 1_000 - 60 }), undefined, NOW_MS), 0);
});

Deno.test("lifeOf() takes the shorter life when both say one", () => {
  assert.equal(lifeOf(jwt({ exp: 700, iat: 100 }), 3_600, NOW_MS), 600_000);
  assert.equal(lifeOf(jwt({ exp: 7_300, iat: 100 }), 3_600, NOW_MS), 3_600_000);
});

Deno.test("lifeOf() takes five minutes when nobody says anything that makes sense", () => {
  const tokens = [
    "opaque",
    "a.b.c",
    "a.!!!.c",
    jwt({}),
    jwt({ exp: "soon" }),
    jwt([]),
    jwt(null),
    `x.${btoa("{")}.y`,
  ];
  for (const token of tokens) {
    for (const expiresIn of [undefined, null, 0, -1, "", "soon", {}, true]) {
      assert.equal(lifeOf(token, expiresIn, NOW_MS), 300_000, `${token} ${expiresIn}`);
    }
  }
});
