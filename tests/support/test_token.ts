/**
 * JSON Web Tokens (RFC 7519) as an identity provider gives them out.
 *
 * @module
 */

/** Whom the secure broker believes. */
export const ISSUER = "https://issuer.pg-tide.example";
/** For whom its tokens are. */
export const TOKEN_AUDIENCE = "kafka";

const RSA = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } as const;
const KEY_ID = "pg-tide-tests";

/** What a token says. */
export interface TokenContent {
  /** The user. */
  readonly subject: string;
  /** Seconds until it expires. @default 600 */
  readonly lifetimeS?: number;
  /** More claims, which win over those that this module makes. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A key to sign tokens, and the public half as a JSON Web Key Set (RFC 7517). */
export async function makeTokenKey(): Promise<{ readonly privateKey: JsonWebKey; readonly keySet: unknown }> {
  const size = { modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };
  const { privateKey, publicKey } = await crypto.subtle.generateKey({ ...RSA, ...size }, true, [
    "sign",
    "verify",
  ]);
  const { kty, n, e } = await crypto.subtle.exportKey("jwk", publicKey);
  return {
    privateKey: await crypto.subtle.exportKey("jwk", privateKey),
    keySet: { keys: [{ kty, n, e, kid: KEY_ID, alg: "RS256", use: "sig" }] },
  };
}

/** A token, signed. */
export async function signToken(key: JsonWebKey, content: TokenContent): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  const { subject, lifetimeS = 600, claims = {} } = content;
  const signed = [
    { alg: "RS256", typ: "JWT", kid: KEY_ID },
    { iss: ISSUER, aud: TOKEN_AUDIENCE, sub: subject, iat: nowS, exp: nowS + lifetimeS, ...claims },
  ].map((part) => base64Url(new TextEncoder().encode(JSON.stringify(part)))).join(".");
  const imported = await crypto.subtle.importKey("jwk", key, RSA, false, ["sign"]);
  const signature = await crypto.subtle.sign(RSA, imported, new TextEncoder().encode(signed));
  return `${signed}.${base64Url(new Uint8Array(signature))}`;
}

function base64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
