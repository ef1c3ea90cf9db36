/**
 * The sink's fields as typed options. Pure.
 *
 * @module
 */

import type { Json, PluginConfig } from "@pg-tide/sdk";
import { type Compression, COMPRESSIONS } from "./compression.ts";

/** A broker's address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How to authenticate with SASL. */
export interface Sasl {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  readonly username: string;
  readonly password: string;
}

/** TLS, as PEM texts. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The options of an opened sink. */
export interface Options {
  readonly brokers: readonly Address[];
  readonly sasl?: Sasl;
  readonly tls?: Tls;
  readonly compression: Compression;
  /** -1 is "all". */
  readonly acks: -1 | 0 | 1;
  readonly batchSize: number;
  readonly lingerMs: number;
  readonly idempotent: boolean;
  readonly requestTimeoutMs: number;
  readonly deliveryTimeoutMs: number;
  readonly maxRequestBytes: number;
  readonly clientId: string;
  readonly timestamp: "created" | "now";
}

/**
 * Read the options from fields that the kernel has parsed.
 *
 * @throws {TypeError} when a field is not what the manifest says, which is an error of the caller
 * @throws {RangeError} when `brokers` names an impossible port
 */
export function parseOptions(fields: PluginConfig["fields"]): Options {
  const sasl = parseSasl(fields);
  const tls = parseTls(fields);
  const acks = text(fields, "acks");
  const lingerMs = number(fields, "linger_ms");
  const requestTimeoutMs = number(fields, "request_timeout_ms");
  return {
    brokers: parseBrokers(text(fields, "brokers")),
    ...(sasl === undefined ? {} : { sasl }),
    ...(tls === undefined ? {} : { tls }),
    compression: oneOf("compression", text(fields, "compression"), COMPRESSIONS),
    acks: acks === "all" ? -1 : acks === "0" ? 0 : 1,
    batchSize: number(fields, "batch_size"),
    lingerMs,
    idempotent: fields.idempotent === true,
    requestTimeoutMs,
    // A batch must have the time to fill and to be sent at least once.
    deliveryTimeoutMs: Math.max(number(fields, "delivery_timeout_ms"), lingerMs + requestTimeoutMs),
    maxRequestBytes: number(fields, "max_request_size"),
    clientId: text(fields, "client_id"),
    timestamp: oneOf("timestamp", text(fields, "timestamp"), ["created", "now"] as const),
  };
}

/** Whether two options differ at most in what can be changed on running connections: a password, certificates. */
export function onlySecretsDiffer(one: Options, other: Options): boolean {
  return JSON.stringify(withoutSecrets(one)) === JSON.stringify(withoutSecrets(other));
}

function withoutSecrets({ sasl, tls, ...rest }: Options): unknown {
  return { ...rest, tls: tls !== undefined, sasl: sasl && { ...sasl, password: "" } };
}

/**
 * The addresses in a comma-separated list of `host:port`; an IPv6 address stands in brackets.
 *
 * @throws {RangeError} when an entry is not such a pair
 */
export function parseBrokers(list: string): Address[] {
  return list.split(",").map((entry) => {
    const match = /^\s*(?:\[([^\]]+)\]|([^\s:]+)):(\d{1,5})\s*$/.exec(entry);
    const port = Number(match?.[3]);
    if (match === null || port < 1 || port > 65_535) {
      throw new RangeError(
        `Cannot read brokers: "${entry.trim()}", expected host:port with a port from 1 to 65535`,
      );
    }
    return { host: match[1] ?? match[2]!, port };
  });
}

/** An address as people and permissions write it. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseSasl(fields: PluginConfig["fields"]): Sasl | undefined {
  if (fields.sasl_mechanism === null || fields.sasl_mechanism === undefined) return undefined;
  return {
    mechanism: oneOf(
      "sasl_mechanism",
      text(fields, "sasl_mechanism"),
      ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const,
    ),
    username: text(fields, "sasl_username"),
    password: text(fields, "sasl_password"),
  };
}

function parseTls(fields: PluginConfig["fields"]): Tls | undefined {
  if (fields.tls_enabled !== true) return undefined;
  const { tls_ca_cert: ca, tls_client_cert: cert, tls_client_key: key } = fields;
  return {
    ...(typeof ca === "string" ? { ca } : {}),
    ...(typeof cert === "string" ? { cert } : {}),
    ...(typeof key === "string" ? { key } : {}),
  };
}

function text(fields: PluginConfig["fields"], name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw wrongType(name, value, "a string");
  return value;
}

function number(fields: PluginConfig["fields"], name: string): number {
  const value = fields[name];
  if (typeof value !== "number") throw wrongType(name, value, "a number");
  return value;
}

function oneOf<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) {
    throw new TypeError(`Cannot read ${name}: "${value}", expected ${values.join(", ")}`);
  }
  return found;
}

/** The value itself is not shown: it may be a secret. */
function wrongType(name: string, value: Json | undefined, expected: string): TypeError {
  return new TypeError(
    `Cannot read ${name}: ${value === null ? "null" : typeof value}, expected ${expected}`,
  );
}
