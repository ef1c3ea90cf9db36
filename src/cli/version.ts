/**
 * The version of this program.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };

/** As `pg-tide --version` prints it. */
export const VERSION: string = manifest.version;
