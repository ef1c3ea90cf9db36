/**
 * What can be configured, made known to the database: `tide.relay_set_outbox` checks against it.
 *
 * @module
 */

import type { FieldRule, FieldSpec } from "@pg-tide/sdk";
import type { Database } from "./database.ts";
import { readStatement } from "./statement.ts";

const REGISTER_PLUGINS = readStatement("register_plugins");

/** A plugin, or the kernel (kind and name `kernel`), as data: all that `tide.relay_set_outbox` checks. */
export interface DescribedPlugin {
  readonly kind: "kernel" | "sink" | "format";
  readonly name: string;
  /** The version of the plugin contract. */
  readonly contract: number;
  readonly summary: string;
  readonly fields: readonly FieldSpec[];
  readonly rules: readonly FieldRule[];
}

/** Make plugins known. One that is known already is replaced when it differs. */
export async function registerPlugins(db: Database, plugins: readonly DescribedPlugin[]): Promise<void> {
  await db.query(REGISTER_PLUGINS, [catalogJson(plugins)]);
}

/** The same as a statement for a script. */
export function catalogScript(plugins: readonly DescribedPlugin[]): string {
  const literal = `'${catalogJson(plugins).replaceAll("'", "''")}'`;
  return `${REGISTER_PLUGINS.replace("$1", () => literal)};`;
}

function catalogJson(plugins: readonly DescribedPlugin[]): string {
  return JSON.stringify(plugins.map(({ kind, name, contract, summary, fields, rules }) => (
    { kind, name, contract, summary, fields, rules }
  )));
}
