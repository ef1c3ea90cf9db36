/**
 * SASL: fields and options. Pure.
 *
 * @module
 */

import type { FieldRule, FieldSpec, PluginConfig } from "@pg-tide/sdk";
import { oneOf, textOf } from "./value.ts";

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

/** How to authenticate with SASL. */
export interface Sasl {
  readonly mechanism: typeof MECHANISMS[number];
  readonly username: string;
  readonly password: string;
}

/** The fields. */
export const SASL_FIELDS: readonly FieldSpec[] = [
  {
    name: "sasl_mechanism",
    type: "string",
    values: MECHANISMS,
    doc: "Authentication mechanism. Absent: no SASL.",
    examples: ["SCRAM-SHA-256"],
  },
  {
    name: "sasl_username",
    type: "string",
    interpolates: true,
    doc: "SASL username (for Confluent Cloud: the API key).",
    examples: ["${env:KAFKA_USERNAME}"],
  },
  {
    name: "sasl_password",
    type: "string",
    interpolates: true,
    secret: true,
    doc: "SASL password (for Confluent Cloud: the API secret).",
    examples: ["${env:KAFKA_PASSWORD}"],
  },
];

/** What contradicts what. */
export const SASL_RULES: readonly FieldRule[] = [
  {
    when: { field: "sasl_username" },
    then: { field: "sasl_mechanism" },
    message: "sasl_username is set without sasl_mechanism: set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
  },
  {
    when: { field: "sasl_password" },
    then: { field: "sasl_mechanism" },
    message: "sasl_password is set without sasl_mechanism: set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
  },
  {
    when: { field: "sasl_mechanism" },
    then: { field: "sasl_username" },
    message: "sasl_mechanism is set without sasl_username: set the user's name, or remove sasl_mechanism",
  },
  {
    when: { field: "sasl_mechanism" },
    then: { field: "sasl_password" },
    message: "sasl_mechanism is set without sasl_password: set the user's password, or remove sasl_mechanism",
  },
];

/** Read the options from fields that the kernel has parsed; undefined for no SASL. @throws as `parseOptions` */
export function parseSasl(fields: PluginConfig["fields"]): Sasl | undefined {
  if (fields.sasl_mechanism === null || fields.sasl_mechanism === undefined) return undefined;
  return {
    mechanism: oneOf(fields, "sasl_mechanism", MECHANISMS),
    username: textOf(fields, "sasl_username"),
    password: textOf(fields, "sasl_password"),
  };
}

/** What remains of it when what may change on running connections is left out. */
export function withoutSecrets(sasl: Sasl): unknown {
  return { ...sasl, password: "" };
}
