import assert from "node:assert/strict";
import { type AwsCredentials, mskToken } from "../../../../plugins/sink_kafka/authentication/msk_token.ts";
import type { Clock } from "../../../../plugins/sink_kafka/clock.ts";
import { SinkClock } from "../../../support/sink_clock.ts";
import TOKENS from "./msk_tokens.json" with { type: "json" };

/** The signed URL in a token. */
function urlIn(token: string): URL {
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  return new URL(new TextDecoder().decode(Uint8Array.fromBase64(token, { alphabet: "base64url" })));
}

function clockAt(wallMs: number): Clock {
  const clock = new SinkClock();
  clock.wallMs = () => wallMs;
  return clock;
}

for (const { region, at, token, ...keys } of TOKENS) {
  Deno.test(`mskToken() makes what Amazon's signer makes, in ${region}`, () => {
    const credentials = { ...keys, expiresAtMs: Infinity };
    const made = urlIn(mskToken(credentials, region, clockAt(Date.parse(at))));
    const golden = urlIn(token);
    assert.equal(made.origin, golden.origin);
    // Where the parameters stand plays no part, but for the one that is not signed.
    assert.deepEqual(made.search.slice(1).split("&").sort(), golden.search.slice(1).split("&").sort());
    assert.match(made.search, /&X-Amz-Signature=[0-9a-f]{64}&User-Agent=pg-tide$/);
  });
}

Deno.test("mskToken() is good no longer than its keys, unless AWS lets expired keys serve on", () => {
  const expiresS = (lifeMs: number) => {
    const credentials: AwsCredentials = {
      accessKeyId: "A",
      secretAccessKey: "S",
      expiresAtMs: lifeMs,
    };
    return urlIn(mskToken(credentials, "eu-west-1", new SinkClock())).searchParams.get("X-Amz-Expires");
  };
  assert.deepEqual([Infinity, 3_600_000, 900_000, 300_999, -1].map(expiresS), [
    "900",
    "900",
    "900",
    "300",
    "900",
  ]);
});
