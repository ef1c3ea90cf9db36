/**
 * `pg-tide install`: create or upgrade the schema.
 *
 * @module
 */

import { EXIT } from "../base/errors.ts";
import type { Settings } from "../config/settings.ts";
import { connectForInstall } from "../pg/database.ts";
import { installSchema, printInstall } from "../pg/migrate.ts";
import type { Output } from "./output.ts";
import { firstPartyDescriptions } from "./plugin.ts";

/** Install the schema, or print what would. */
export async function install(
  settings: Settings,
  options: { readonly print?: true },
  output: Output,
): Promise<number> {
  if (options.print) {
    output.out(printInstall(firstPartyDescriptions()));
    return EXIT.good;
  }
  const database = await connectForInstall(settings.postgresUrl!);
  try {
    const { from, to } = await installSchema(database, firstPartyDescriptions());
    output.out(
      from === to ? `The schema tide is installed, version ${to}` : `The schema tide is now version ${to}`,
    );
    return EXIT.good;
  } finally {
    await database.close();
  }
}
