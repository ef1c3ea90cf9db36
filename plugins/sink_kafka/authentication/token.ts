/**
 * Tokens, and how long they are good. Pure.
 *
 * @module
 */

import type { Perishable } from "./renewed.ts";

/** A token that brokers are shown. */
export interface Token extends Perishable {
  readonly value: string;
}

/** How long a token is taken to be good when nobody says so, in milliseconds. */
const LIFE_UNKNOWN_MS = 300_000;

/**
 * How long a token is good, in milliseconds: the least of what its server says and what stands in it, if it is a JSON Web Token.
 *
 * @param expiresIn what the server says, in seconds; some write the number as a text
 */
export function lifeOf(token: string, expiresIn: unknown, wallMs: number): number {
  const said = typeof expiresIn === "string" ? Number(expiresIn) : expiresIn;
  const lives = [claimedLifeMs(token, wallMs)];
  if (typeof said === "number" && said > 0) lives.push(said * 1_000);
  const known = lives.filter((life) => life !== undefined);
  return known.length === 0 ? LIFE_UNKNOWN_MS : Math.min(...known);
}

/** What stands in a JSON Web Token (RFC 7519), from its issue on if that stands there too: clocks may differ. */
function claimedLifeMs(token: string, wallMs: number): number | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    const { exp, iat }: { readonly exp?: unknown; readonly iat?: unknown } = JSON.parse(
      new TextDecoder().decode(bytes),
    );
    if (typeof exp !== "number") return undefined;
    const life = typeof iat === "number" ? (exp - iat) * 1_000 : exp * 1_000 - wallMs;
    return Number.isFinite(life) ? Math.max(0, life) : undefined;
  } catch {
    // It is something else with a dot in it.
    return undefined;
  }
}
