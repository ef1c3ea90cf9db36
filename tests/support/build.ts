/**
 * `deno task build`: compiles dist/pg-tide.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import { buildBinary } from "./binary.ts";

if (import.meta.main) {
  try {
    const { path, compiled, deno } = await buildBinary();
    const megabytes = ((await Deno.stat(path)).size / 1e6).toFixed(1);
    console.log(
      `${path}: ${compiled ? "compiled" : "up to date"}, ${megabytes} MB, with Deno ${deno} inside`,
    );
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
