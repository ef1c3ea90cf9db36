/**
 * URLs that carry the signature of an AWS identity: Signature Version 4 in the query. Pure.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * @module
 */

import { createHash, createHmac } from "node:crypto";

const ALGORITHM = "AWS4-HMAC-SHA256";

/** An AWS identity's keys. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary keys. */
  readonly sessionToken?: string | undefined;
}

/** What is signed: a request for the root of a host, without a body. */
export interface Presigning {
  readonly method: "GET" | "POST";
  readonly host: string;
  /** Names and values of the query. */
  readonly query: Readonly<Record<string, string>>;
  readonly service: string;
  readonly region: string;
  /** For how long the URL is good, in seconds. */
  readonly expiresS: number;
  /** When it is signed, in milliseconds since 1970. */
  readonly atMs: number;
}

/** The query of a signed URL, without the question mark. */
export function presign(
  keys: AwsKeys,
  { method, host, query, service, region, expiresS, atMs }: Presigning,
): string {
  const time = `${new Date(atMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
  const scope = [time.slice(0, 8), region, service, "aws4_request"];
  const signed = canonicalQuery({
    ...query,
    "X-Amz-Algorithm": ALGORITHM,
    "X-Amz-Credential": [keys.accessKeyId, ...scope].join("/"),
    "X-Amz-Date": time,
    "X-Amz-Expires": String(expiresS),
    ...(keys.sessionToken === undefined ? {} : { "X-Amz-Security-Token": keys.sessionToken }),
    "X-Amz-SignedHeaders": "host",
  });
  const request = [method, "/", signed, `host:${host}`, "", "host", sha256("")].join("\n");
  const toSign = [ALGORITHM, time, scope.join("/"), sha256(request)].join("\n");
  const key = scope.reduce<string | Uint8Array>(
    (outer, part) => hmac(outer, part),
    `AWS4${keys.secretAccessKey}`,
  );
  return `${signed}&X-Amz-Signature=${hmac(key, toSign).toHex()}`;
}

/** In order of the encoded names, which are never the same here. */
function canonicalQuery(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map((pair) => pair.map(uriEncoded));
  return pairs.toSorted(([one], [other]) => one! < other! ? -1 : 1).map((pair) => pair.join("=")).join("&");
}

/** All but RFC 3986's unreserved characters encoded. */
export function uriEncoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: string | Uint8Array, text: string): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(text).digest());
}
