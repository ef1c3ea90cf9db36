/**
 * `pg-tide`: hands the arguments over, and ends with the exit code that comes back.
 *
 * @module
 */

import { main } from "./src/cli/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
