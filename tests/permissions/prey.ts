/**
 * What hostile plugins are after, and how to tell whether they got it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Prey } from "./hostile_attempts.ts";
import type { HostilePlugin } from "./hostile_plugins.ts";

const SECRET = "the secret of this machine";

/**
 * Run a test with files that hold a secret and a server that must not be reached.
 *
 * @param test gets a folder of its own besides
 * @throws {AssertionError} when somebody came to the server
 */
export async function withPrey(test: (prey: Prey, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = (name: string) => join(folder, name);
  const url = (name: string) => pathToFileURL(path(name)).href;
  await Deno.writeTextFile(path("secret.js"), `export default ${JSON.stringify(SECRET)};`);
  await Deno.writeTextFile(path("secret.json"), JSON.stringify({ secret: SECRET }));
  await Deno.writeTextFile(path("secret.txt"), `x=${SECRET}`);
  let visits = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    visits++;
    return new Response(SECRET);
  });
  const { port } = server.addr;
  try {
    const files = { script: url("secret.js"), json: url("secret.json"), text: url("secret.txt") };
    await test({ ...files, path: path("secret.txt"), host: "127.0.0.1", port }, folder);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
  assert.equal(visits, 0, "a host was reached that was not granted");
}

/** Write a plugin to a file; gives what `--plugin` takes. */
export async function writePlugin({ name, source }: HostilePlugin, folder: string): Promise<string> {
  const file = join(folder, `${name}.js`);
  await Deno.writeTextFile(file, source);
  return `${name}=file:${file}`;
}

/**
 * Check how a plugin ended.
 *
 * @param outcome its summary when it could describe itself, else the error
 * @throws {AssertionError} when it got something, or failed in another way than it must
 */
export function assertHeld({ name, end }: HostilePlugin, outcome: string): void {
  assert.ok(!outcome.includes(SECRET), `${name}: ${outcome}`);
  const expected = end === "held" ? /^held: / : "refused" in end ? end.refused : end.noticed;
  assert.match(outcome, expected, `${name}: ${outcome}`);
}
