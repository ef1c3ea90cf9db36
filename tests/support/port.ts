/**
 * Free ports of the loopback interface.
 *
 * @module
 */

import { MissingToolError } from "./errors.ts";

/**
 * Below the ports that Linux (from 32768) and macOS (from 49152) give to outgoing connections: a server that stops
 * and starts again must find its port unused.
 */
const LOWEST = 20_000;
const HIGHEST = 31_999;
const ATTEMPTS = 200;
/** Those given out and perhaps not listened on yet. */
const given = new Set<number>();

/** A TCP port of 127.0.0.1 on which nothing listens. */
export function freePort(): number {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
    if (given.has(port) || !isFree(port)) continue;
    given.add(port);
    return port;
  }
  throw new MissingToolError(
    `Cannot find a free port between ${LOWEST} and ${HIGHEST} of 127.0.0.1 in ${ATTEMPTS} attempts`,
    "Stop what listens there; to see it: ss -ltn",
  );
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
