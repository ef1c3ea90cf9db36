/**
 * Where an external plugin comes from: the operator's word, `NAME=file:…` or `NAME=https:…#sha256=…`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT, messageOf, UserError } from "../base/errors.ts";
import { withoutCredentials } from "./address.ts";
import { HOST_LIMITS } from "./limits.ts";

/** A plugin as the operator names it. */
export interface PluginReference {
  readonly name: string;
  readonly place:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "https"; readonly url: string };
  /** SHA-256 that the source must have, in hexadecimal digits. */
  readonly sha256: string | null;
}

const ENTRY_REGEXP = /^([a-z][a-z0-9_]{0,62})=(.+)$/s;
const HASH_REGEXP = /#sha256(?:=([0-9a-f]{64})|-([0-9a-f]{64})|-([A-Za-z0-9+/]{43}=))$/;
const EXPECTED = "NAME=file:./plugin.js or NAME=https://host/plugin.js#sha256=<64 hexadecimal digits>";

/**
 * Understand an entry of `--plugin`.
 *
 * @throws {UserError} when it is neither form
 */
export function parsePluginReference(entry: string): PluginReference {
  const [, name, rest] = ENTRY_REGEXP.exec(entry) ?? [];
  if (name === undefined || rest === undefined) throw badReference(entry, `expected ${EXPECTED}`);
  const hash = HASH_REGEXP.exec(rest);
  const location = hash === null ? rest : rest.slice(0, hash.index);
  const sha256 = hash === null ? null : hash[1] ?? hash[2] ?? Uint8Array.fromBase64(hash[3]!).toHex();
  if (location.startsWith("file:")) {
    return { name, place: { kind: "file", path: pathOf(entry, location) }, sha256 };
  }
  if (!location.startsWith("https://") || !URL.canParse(location)) {
    throw badReference(entry, `expected ${EXPECTED}`);
  }
  if (sha256 === null) {
    throw badReference(
      entry,
      "a plugin from the network needs its hash, expected #sha256=… at the end of the URL",
    );
  }
  return { name, place: { kind: "https", url: location }, sha256 };
}

/** Where a plugin comes from, as text for a person. */
export function describePlace({ place }: PluginReference): string {
  return place.kind === "file" ? place.path : withoutCredentials(place.url);
}

/**
 * Read a plugin's source.
 *
 * @throws {UserError} when it cannot be read, is too large, or is not the one that the hash names
 */
export async function readPluginSource(reference: PluginReference): Promise<Uint8Array<ArrayBuffer>> {
  const { place } = reference;
  const source = place.kind === "file"
    ? await readFile(reference, place.path)
    : await download(reference, place.url);
  const sha256 = createHash("sha256").update(source).digest("hex");
  if (reference.sha256 !== null && reference.sha256 !== sha256) {
    throw unreadable(reference, `its SHA-256 is ${sha256}, expected ${reference.sha256}`);
  }
  return source;
}

function pathOf(entry: string, location: string): string {
  const rest = location.slice("file:".length);
  if (!rest.startsWith("//")) return resolve(rest);
  try {
    return fileURLToPath(location);
  } catch (error) {
    throw badReference(entry, messageOf(error));
  }
}

async function readFile(reference: PluginReference, path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw unreadable(reference, "it is not a file");
    if (size > HOST_LIMITS.sourceBytes) throw tooLarge(reference);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
    throw unreadable(reference, reason, error);
  }
}

async function download(reference: PluginReference, url: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HOST_LIMITS.fetchMs) });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw unreadable(reference, `the server answered ${response.status} ${response.statusText}`);
    }
    return await collect(reference, response.body);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unreadable(reference, messageOf(error), error);
  }
}

async function collect(
  reference: PluginReference,
  body: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > HOST_LIMITS.sourceBytes) throw tooLarge(reference);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function tooLarge(reference: PluginReference): UserError {
  return unreadable(reference, `it has more than ${HOST_LIMITS.sourceBytes} bytes`);
}

function unreadable(reference: PluginReference, reason: string, cause?: unknown): UserError {
  return new UserError(
    `Cannot read plugin "${reference.name}" from ${describePlace(reference)}: ${withoutCredentials(reason)}`,
    {
      code: "PLUGIN_UNREADABLE",
      advice: "Check where the plugin is, and that the relay may read it.",
      exitCode: EXIT.usage,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

function badReference(entry: string, reason: string): UserError {
  const shown = withoutCredentials(entry.slice(0, 300));
  return new UserError(`Cannot use --plugin ${JSON.stringify(shown)}: ${reason}`, {
    code: "PLUGIN_REFERENCE",
    advice: `Write it as ${EXPECTED}.`,
    exitCode: EXIT.usage,
  });
}
