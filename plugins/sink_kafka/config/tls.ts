/**
 * TLS: fields and options. Pure.
 *
 * @module
 */

import type { FieldRule, FieldSpec, PluginConfig } from "@pg-tide/sdk";

/** TLS, as PEM texts. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The fields. */
export const TLS_FIELDS: readonly FieldSpec[] = [
  {
    name: "tls_enabled",
    type: "boolean",
    default: false,
    doc:
      "Enable TLS for broker connections. The broker's certificate and name are always verified; TLS 1.2 at least.",
  },
  {
    name: "tls_ca_cert",
    type: "string",
    file: true,
    interpolates: true,
    doc:
      "Path to the CA certificate file (PEM) for TLS verification. Absent: the authorities that the relay trusts.",
    examples: ["/etc/certs/ca.pem"],
  },
  {
    name: "tls_client_cert",
    type: "string",
    file: true,
    interpolates: true,
    doc: "Path to the client certificate (PEM) for mTLS authentication.",
    examples: ["/etc/certs/client.pem"],
  },
  {
    name: "tls_client_key",
    type: "string",
    file: true,
    interpolates: true,
    secret: true,
    doc: "Path to the client private key (PEM) for mTLS authentication.",
    examples: ["/etc/certs/client-key.pem"],
  },
];

/** What contradicts what. */
export const TLS_RULES: readonly FieldRule[] = [
  {
    when: { field: "tls_client_cert" },
    then: { field: "tls_client_key" },
    message: "tls_client_cert is set without tls_client_key: a client certificate needs its private key",
  },
  {
    when: { field: "tls_client_key" },
    then: { field: "tls_client_cert" },
    message: "tls_client_key is set without tls_client_cert: a private key needs its client certificate",
  },
  ...["tls_ca_cert", "tls_client_cert", "tls_client_key"].map((field): FieldRule => ({
    when: { field },
    then: { field: "tls_enabled", is: [true] },
    message: `${field} is set but tls_enabled is false: set tls_enabled to true, or remove ${field}`,
  })),
];

/** Read the options from fields that the kernel has parsed; undefined for no TLS. */
export function parseTls(fields: PluginConfig["fields"]): Tls | undefined {
  if (fields.tls_enabled !== true) return undefined;
  const { tls_ca_cert: ca, tls_client_cert: cert, tls_client_key: key } = fields;
  return {
    ...(typeof ca === "string" ? { ca } : {}),
    ...(typeof cert === "string" ? { cert } : {}),
    ...(typeof key === "string" ? { key } : {}),
  };
}
