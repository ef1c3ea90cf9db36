/**
 * Whether TLS trusts who is at the other end.
 *
 * @module
 */

import type { Told } from "./tell.ts";

/** Codes of errors by which TLS says that it does not trust a server's certificate. */
const CERTIFICATE_CODES = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Whether it was told that a server's certificate is not trusted, or made for another name. */
export function isUntrusted({ codes, text }: Told): boolean {
  return codes.some((code) => CERTIFICATE_CODES.has(code)) ||
    /UnknownIssuer|invalid peer certificate|NotValidForName/i.test(text);
}
