/**
 * What a relay is called when nobody named it.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/** The machine's name, the process and a random part: unique among relays, and telling to a person. */
export function makeRelayName({ random }: Clock): string {
  const nonce = Math.floor(random() * 0x1_0000).toString(16).padStart(4, "0");
  return `${machineName()}-${Deno.pid}-${nonce}`;
}

function machineName(): string {
  try {
    return Deno.hostname();
  } catch (error) {
    // `deno run` without --allow-sys=hostname.
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return "relay";
  }
}
