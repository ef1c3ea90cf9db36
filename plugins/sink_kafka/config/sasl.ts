/**
 * SASL: fields and options. Pure.
 *
 * @module
 */

import type { FieldRule, FieldSpec, PluginConfig } from "@pg-tide/sdk";
import { AWS_FIELDS, AWS_RULES, type AwsSasl, parseAws, withoutAwsSecrets } from "./sasl_aws.ts";
import { OAUTH_FIELDS, OAUTH_RULES, type OAuthSasl, parseOAuth } from "./sasl_oauth.ts";
import { belong, type Choice, need } from "./sasl_rules.ts";
import { oneOf, textOf } from "./value.ts";

/** Mechanisms with a user's name and password. */
const PASSWORD_MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

const MECHANISMS = [...PASSWORD_MECHANISMS, "OAUTHBEARER", "AWS_MSK_IAM"] as const;

/** How to authenticate with a password. */
export interface PasswordSasl {
  readonly mechanism: typeof PASSWORD_MECHANISMS[number];
  readonly username: string;
  readonly password: string;
}

/** How to authenticate with SASL. */
export type Sasl = PasswordSasl | OAuthSasl | AwsSasl;

/** The fields. */
export const SASL_FIELDS: readonly FieldSpec[] = [
  {
    name: "sasl_mechanism",
    type: "string",
    values: MECHANISMS,
    doc:
      "Authentication mechanism. Absent: no SASL. (Java: `sasl.mechanism`; AWS_MSK_IAM is sent as OAUTHBEARER.)",
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
  ...OAUTH_FIELDS,
  ...AWS_FIELDS,
];

const BY_PASSWORD: Choice = { field: "sasl_mechanism", values: PASSWORD_MECHANISMS };

/** What contradicts what. */
export const SASL_RULES: readonly FieldRule[] = [
  ...belong(["sasl_username", "sasl_password"], BY_PASSWORD),
  ...need(BY_PASSWORD, { sasl_username: "the user's name", sasl_password: "the user's password" }),
  ...OAUTH_RULES,
  ...AWS_RULES,
];

/** Read the options from fields that the kernel has parsed; undefined for no SASL. @throws as `parseOptions` */
export function parseSasl(fields: PluginConfig["fields"]): Sasl | undefined {
  if (fields.sasl_mechanism === null || fields.sasl_mechanism === undefined) return undefined;
  const mechanism = oneOf(fields, "sasl_mechanism", MECHANISMS);
  if (mechanism === "OAUTHBEARER") return parseOAuth(fields);
  if (mechanism === "AWS_MSK_IAM") return parseAws(fields);
  return { mechanism, username: textOf(fields, "sasl_username"), password: textOf(fields, "sasl_password") };
}

/** What remains of it when what may change on running connections is left out. */
export function withoutSecrets(sasl: Sasl): unknown {
  switch (sasl.mechanism) {
    case "OAUTHBEARER":
      return { ...sasl, clientSecret: "", ca: "" };
    case "AWS_MSK_IAM":
      return { ...sasl, source: withoutAwsSecrets(sasl.source) };
    default:
      return { ...sasl, password: "" };
  }
}
