/**
 * What Amazon MSK takes for a token: a URL, signed by an AWS identity, by which a broker asks AWS who that is.
 *
 * Amazon's own libraries for other languages than Java send it by OAUTHBEARER, as this does.
 *
 * @see https://github.com/aws/aws-msk-iam-sasl-signer-js
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Perishable } from "./renewed.ts";
import { type AwsKeys, presign, uriEncoded } from "./signature_v4.ts";

/** AWS keys, and until when they are good. */
export interface AwsCredentials extends AwsKeys, Perishable {}

/** The longest that MSK believes a token, in seconds. */
const EXPIRES_S = 900;

/** Who asks, for the records of AWS. It is not signed. */
const USER_AGENT = "pg-tide";

/** A token for the clusters of a region, good from now on as long as MSK and the keys allow. */
export function mskToken(credentials: AwsCredentials, region: string, clock: Clock): string {
  const host = `kafka.${region}.amazonaws.com`;
  const leftS = Math.floor((credentials.expiresAtMs - clock.monotonicMs()) / 1_000);
  const query = presign(credentials, {
    method: "GET",
    host,
    query: { Action: "kafka-cluster:Connect" },
    service: "kafka-cluster",
    region,
    // AWS goes on to believe keys that have expired while it cannot give out new ones.
    expiresS: leftS > 0 ? Math.min(EXPIRES_S, leftS) : EXPIRES_S,
    atMs: clock.wallMs(),
  });
  const url = `https://${host}/?${query}&User-Agent=${uriEncoded(USER_AGENT)}`;
  return new TextEncoder().encode(url).toBase64({ alphabet: "base64url", omitPadding: true });
}
