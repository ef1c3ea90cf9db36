/**
 * Files that a test needs for a moment.
 *
 * @module
 */

import { join } from "node:path";

/** Run a test with a folder of its own. */
export async function withFolder<Result>(test: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await Deno.makeTempDir({ prefix: "pg-tide-binary-" });
  try {
    return await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Write a plugin's source to `NAME.js`. @returns the flag that loads it */
export async function writePlugin(folder: string, name: string, source: string): Promise<string[]> {
  const file = join(folder, `${name}.js`);
  await Deno.writeTextFile(file, source);
  return ["--plugin", `${name}=file:${file}`];
}
