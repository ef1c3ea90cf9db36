/**
 * TLS: fields and options. Pure.
 *
 * @module
 */

import type { FieldRule, FieldSpec, PluginConfig } from "@pg-tide/sdk";
import { type ClientCertificate, readAuthorities, readClientCertificate } from "./certificate.ts";

/** How to talk TLS. */
export interface Tls {
  /** Certificates of authorities as PEM; absent for those that the relay trusts. */
  readonly ca?: string;
  readonly client?: ClientCertificate;
  /** Whether to believe any broker. */
  readonly skipVerify: boolean;
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
      "Path to the CA certificate file (PEM) for TLS verification, which may hold several. Absent: the authorities that the relay " +
      "trusts.",
    examples: ["/etc/certs/ca.pem"],
  },
  {
    name: "tls_client_cert",
    type: "string",
    file: true,
    interpolates: true,
    doc:
      "Path to the client certificate (PEM) for mTLS authentication, followed by those of intermediate authorities, if any.",
    examples: ["/etc/certs/client.pem"],
  },
  {
    name: "tls_client_key",
    type: "string",
    file: true,
    interpolates: true,
    secret: true,
    doc: "Path to the client private key (PEM: PKCS#8, PKCS#1 or SEC 1) for mTLS authentication.",
    examples: ["/etc/certs/client-key.pem"],
  },
  {
    name: "tls_client_key_password",
    type: "string",
    interpolates: true,
    secret: true,
    min: 1,
    doc:
      "Password of the client private key, if it is encrypted (PKCS#8 with AES; Java: `ssl.key.password`).",
    examples: ["${file:/etc/certs/client-key.password}"],
  },
  {
    name: "tls_insecure_skip_verify",
    type: "boolean",
    default: false,
    doc:
      "Believe any broker, without verifying its certificate and name: whoever is on the way can then read and change everything, " +
      "passwords included. For tests only; `status` shows a warning.",
  },
];

const NEED_TLS = ["tls_ca_cert", "tls_client_cert", "tls_client_key", "tls_client_key_password"];

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
  {
    when: { field: "tls_client_key_password" },
    then: { field: "tls_client_key" },
    message: "tls_client_key_password is set without tls_client_key: set the key that it is the password of",
  },
  ...NEED_TLS.map((field): FieldRule => ({
    when: { field },
    then: { field: "tls_enabled", is: [true] },
    message: `${field} is set but tls_enabled is false: set tls_enabled to true, or remove ${field}`,
  })),
  {
    when: { field: "tls_insecure_skip_verify", is: [true] },
    then: { field: "tls_enabled", is: [true] },
    message:
      "tls_insecure_skip_verify is true but tls_enabled is false: set tls_enabled to true, or remove tls_insecure_skip_verify",
  },
];

/**
 * Read the options from fields that the kernel has parsed; undefined for no TLS.
 *
 * @throws {FaultError} when a certificate or a key cannot be used
 */
export function parseTls(fields: PluginConfig["fields"]): Tls | undefined {
  if (fields.tls_enabled !== true) return undefined;
  const { tls_ca_cert: ca, tls_client_cert: cert, tls_client_key: key } = fields;
  const { tls_client_key_password: password } = fields;
  return {
    ...(typeof ca === "string" ? { ca: readAuthorities("tls_ca_cert", ca) } : {}),
    ...(typeof cert === "string" && typeof key === "string"
      ? { client: readClientCertificate(cert, key, typeof password === "string" ? password : undefined) }
      : {}),
    skipVerify: fields.tls_insecure_skip_verify === true,
  };
}

/** What remains of it when what may change on running connections is left out. */
export function withoutCertificates({ client, skipVerify }: Tls): unknown {
  return { skipVerify, subject: client?.subject };
}
