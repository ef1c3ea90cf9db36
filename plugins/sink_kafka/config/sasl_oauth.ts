/**
 * SASL with tokens of an OAuth server: fields and options. Pure.
 *
 * @module
 */

import { FaultError, type FieldRule, type FieldSpec, misconfigured, type PluginConfig } from "@pg-tide/sdk";
import { readAuthorities } from "./certificate.ts";
import { belong, type Choice, need } from "./sasl_rules.ts";
import { optionalTextOf, textMapOf, textOf } from "./value.ts";

/** How to get tokens from an OAuth server, as itself and not for a user (RFC 6749, 4.4). */
export interface OAuthSasl {
  readonly mechanism: "OAUTHBEARER";
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string;
  /** Sent to the broker beside the token (RFC 7628, 3.1). */
  readonly extensions: Readonly<Record<string, string>>;
  /** The authority that signed the OAuth server's certificate, as PEM. */
  readonly ca?: string;
}

/** A URL that a secret may be sent to: by TLS, or to this machine. No user, no fragment. */
export const CONFIDENTIAL_URL = {
  pattern:
    "https://[^ /?#@]+([/?][^ #]*)?|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]{1,5})?([/?][^ #]*)?",
  patternDoc: "a URL with https, or with http on this machine",
} as const;

/** The fields. */
export const OAUTH_FIELDS: readonly FieldSpec[] = [
  {
    name: "sasl_oauth_token_url",
    type: "string",
    interpolates: true,
    ...CONFIDENTIAL_URL,
    doc:
      "Where the OAuth server gives out tokens, by the client credentials grant (Java: `sasl.oauthbearer.token.endpoint.url`). " +
      "Redirects are not followed.",
    examples: ["https://login.example.com/oauth2/token"],
  },
  {
    name: "sasl_oauth_client_id",
    type: "string",
    min: 1,
    interpolates: true,
    doc: "Name of the client at the OAuth server (Java: `sasl.oauthbearer.client.credentials.client.id`).",
    examples: ["${env:KAFKA_CLIENT_ID}"],
  },
  {
    name: "sasl_oauth_client_secret",
    type: "string",
    min: 1,
    interpolates: true,
    secret: true,
    doc: "The client's secret (Java: `sasl.oauthbearer.client.credentials.client.secret`).",
    examples: ["${env:KAFKA_CLIENT_SECRET}"],
  },
  {
    name: "sasl_oauth_scope",
    type: "string",
    min: 1,
    interpolates: true,
    doc: "Scope to ask for, several with spaces between them (Java: `sasl.oauthbearer.scope`).",
    examples: ["kafka", "api://kafka/.default"],
  },
  {
    name: "sasl_oauth_extensions",
    type: "string_map",
    interpolates: true,
    doc: "Sent to the broker beside the token; for Confluent Cloud `logicalCluster` and `identityPoolId` " +
      "(Java: `extension_NAME` in `sasl.jaas.config`).",
    examples: [{ logicalCluster: "lkc-123456", identityPoolId: "pool-Ab1c" }],
  },
  {
    name: "sasl_oauth_ca_cert",
    type: "string",
    file: true,
    interpolates: true,
    doc:
      "Path to the CA certificate file (PEM) by which the OAuth server is verified. Absent: the authorities that the relay trusts " +
      "(Java: `ssl.truststore.location` in `sasl.jaas.config`).",
    examples: ["/etc/certs/oauth-ca.pem"],
  },
];

const OAUTHBEARER: Choice = { field: "sasl_mechanism", values: ["OAUTHBEARER"] };

/** What contradicts what. */
export const OAUTH_RULES: readonly FieldRule[] = [
  ...belong(OAUTH_FIELDS.map(({ name }) => name), OAUTHBEARER),
  ...need(OAUTHBEARER, {
    sasl_oauth_token_url: "the URL where the OAuth server gives out tokens",
    sasl_oauth_client_id: "the client's name at the OAuth server",
    sasl_oauth_client_secret: "the client's secret",
  }),
];

/** Read the options from fields that the kernel has parsed. @throws as `parseOptions` */
export function parseOAuth(fields: PluginConfig["fields"]): OAuthSasl {
  const scope = optionalTextOf(fields, "sasl_oauth_scope");
  const ca = optionalTextOf(fields, "sasl_oauth_ca_cert");
  const extensions = textMapOf(fields, "sasl_oauth_extensions");
  checkExtensions(extensions);
  return {
    mechanism: "OAUTHBEARER",
    tokenUrl: textOf(fields, "sasl_oauth_token_url"),
    clientId: textOf(fields, "sasl_oauth_client_id"),
    clientSecret: textOf(fields, "sasl_oauth_client_secret"),
    extensions,
    ...(scope === undefined ? {} : { scope }),
    ...(ca === undefined ? {} : { ca: readAuthorities("sasl_oauth_ca_cert", ca) }),
  };
}

/** A broker takes letters only for a name, and `auth` for the token's; a value is not shown, as it may come out of a reference. */
function checkExtensions(extensions: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(extensions)) {
    const problem = !/^[A-Za-z]+$/.test(name) || name.toLowerCase() === "auth"
      ? `the name "${name}", expected letters, and not "auth"`
      : /^[\x21-\x7e \t\r\n]+$/.test(value)
      ? undefined
      : `the value of "${name}", expected a text of ASCII characters`;
    if (problem === undefined) continue;
    throw new FaultError(misconfigured(
      "SASL_CONFIGURATION",
      `Cannot use sasl_oauth_extensions: ${problem}`,
      "Correct sasl_oauth_extensions; for Confluent Cloud they are logicalCluster and identityPoolId",
    ));
  }
}
