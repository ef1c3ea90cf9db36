/**
 * `pg-tide install`: create or upgrade the schema.
 *
 * @module
 */

import { REGISTRY } from "../../plugins/registry.ts";
import { EXIT } from "../base/errors.ts";
import { catalogEntry } from "../config/compose.ts";
import { KERNEL_DESCRIPTION } from "../config/kernel_fields.ts";
import type { Settings } from "../config/settings.ts";
import { connect } from "../pg/database.ts";
import { install as installSchema, printInstall } from "../pg/migrate.ts";
import type { Output } from "./output.ts";

/** What `tide.relay_set_outbox` knows before a relay has run. */
const DESCRIPTIONS = [KERNEL_DESCRIPTION, ...REGISTRY.map(({ description }) => catalogEntry(description))];

/** Install the schema, or print what would. */
export async function install(
  settings: Settings,
  options: { readonly print?: true },
  output: Output,
): Promise<number> {
  if (options.print) {
    output.out(printInstall(DESCRIPTIONS));
    return EXIT.good;
  }
  const database = await connect({
    url: settings.postgresUrl!,
    maxConnections: 1,
    applicationName: "pg-tide install",
    requireSchema: false,
  });
  try {
    const { from, to } = await installSchema(database, DESCRIPTIONS);
    output.out(
      from === to ? `The schema tide is installed, version ${to}` : `The schema tide is now version ${to}`,
    );
    return EXIT.good;
  } finally {
    await database.close();
  }
}
