/**
 * The settings of the process itself. Each is a flag (`--lease-ms`), an environment variable (`PG_TIDE_LEASE_MS`) and a key of
 * the file that `--config` names (`lease_ms`).
 *
 * @module
 */

import type { FieldSpec } from "@pg-tide/sdk";
import { ALLOW_ENV_DEFAULT, ALLOW_FILE_DEFAULT } from "./interpolate.ts";

/** The start of the settings' environment variables. */
export const ENV_PREFIX = "PG_TIDE_";

/** The setting that names the file; it cannot stand in the file itself. */
export const CONFIG_SETTING = "config";

/** The declarations of the settings. */
export const SETTING_FIELDS: readonly FieldSpec[] = [
  {
    name: "postgres_url",
    type: "string",
    secret: true,
    pattern: "postgres(ql)?://.*",
    patternDoc: "a URL such as postgresql://user:password@host:5432/database",
    doc: "The database with the outboxes, as a URL.",
  },
  {
    name: CONFIG_SETTING,
    type: "string",
    min: 1,
    doc: "A JSON file with settings. A flag or an environment variable goes before it.",
  },
  {
    name: "relay_name",
    type: "string",
    min: 1,
    max: 200,
    doc:
      "This relay's name in leases and in `status`. Without it, one is made of the machine's name and the process.",
  },
  {
    name: "adopt",
    type: "boolean",
    default: false,
    doc: "Deliver although the database has moved to another server while other relays were registered. " +
      "Never for a copy of a database that is still in use.",
  },
  {
    name: "log_level",
    type: "string",
    values: ["debug", "info", "warn", "error"],
    default: "info",
    doc: "The least severe log lines to write.",
  },
  {
    name: "log_format",
    type: "string",
    values: ["text", "json"],
    default: "text",
    doc: "How log lines are written.",
  },
  {
    name: "lease_ms",
    type: "integer",
    default: 10_000,
    min: 1_000,
    max: 600_000,
    doc: "How long a pipeline stays with a relay that does not answer, in milliseconds. " +
      "After a crash, another relay goes on after this time.",
  },
  {
    name: "drain_timeout_ms",
    type: "integer",
    default: 30_000,
    min: 0,
    max: 3_600_000,
    doc: "How long a relay that is stopped waits for what is in flight, in milliseconds.",
  },
  {
    name: "max_connections",
    type: "integer",
    default: 8,
    min: 2,
    max: 1_000,
    doc: "The most connections to the database.",
  },
  {
    name: "plugin",
    type: "list",
    pattern: "[a-z][a-z0-9_]*=(file:|https://).+",
    patternDoc: "NAME=file:./plugin.js or NAME=https://host/plugin.js#sha256-…",
    default: [],
    doc: "A plugin to load besides those built in. May be given several times.",
  },
  {
    name: "plugin_net",
    type: "list",
    pattern: "[a-z][a-z0-9_]*=.+",
    patternDoc: "NAME=host:port",
    default: [],
    doc:
      "A further host that an external plugin may reach; or a metadata service that hands out this machine's credentials, which " +
      "a built-in one may then ask (kafka=169.254.170.2:80). May be given several times.",
  },
  {
    name: "allow_env",
    type: "list",
    pattern: "[A-Za-z_*][A-Za-z0-9_*]*",
    patternDoc: "a name of an environment variable, in which * stands for any characters",
    default: ALLOW_ENV_DEFAULT,
    doc:
      "Environment variables that pipelines may refer to as ${env:NAME}. Given, it takes the place of the default.",
  },
  {
    name: "allow_file",
    type: "list",
    pattern: "/.+",
    patternDoc: "an absolute path, in which * stands for any characters but / and ** for any",
    default: ALLOW_FILE_DEFAULT,
    doc: "Files that pipelines may refer to as ${file:/path}. Given, it takes the place of the default.",
  },
];

/** `lease_ms` as a flag: `--lease-ms`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll("_", "-")}`;
}

/** `lease_ms` as an environment variable: `PG_TIDE_LEASE_MS`. */
export function variableOf(name: string): string {
  return ENV_PREFIX + name.toUpperCase();
}
