/**
 * The sink's fields as typed options. Pure.
 *
 * @module
 */

import type { PluginConfig } from "@pg-tide/sdk";
import { type ConnectionOptions, parseConnection } from "./connection.ts";
import { parseProducer, type ProducerOptions } from "./producer.ts";
import { parseSasl, type Sasl, withoutSecrets } from "./sasl.ts";
import { parseTls, type Tls, withoutCertificates } from "./tls.ts";

/** The options of an opened sink. */
export interface Options extends ConnectionOptions, ProducerOptions {
  readonly sasl?: Sasl;
  readonly tls?: Tls;
}

/**
 * Read the options from fields that the kernel has parsed.
 *
 * @throws {TypeError} when a field is not what the manifest says, which is an error of the caller
 * @throws {RangeError} when `brokers` names an impossible port
 * @throws {FaultError} when a certificate or a key cannot be used
 */
export function parseOptions(fields: PluginConfig["fields"]): Options {
  const sasl = parseSasl(fields);
  const tls = parseTls(fields);
  return {
    ...parseConnection(fields),
    ...parseProducer(fields),
    ...(sasl === undefined ? {} : { sasl }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** Whether two options differ at most in what can be changed on running connections: a password, certificates of the same name. */
export function onlySecretsDiffer(one: Options, other: Options): boolean {
  return JSON.stringify(comparable(one)) === JSON.stringify(comparable(other));
}

function comparable({ sasl, tls, ...rest }: Options): unknown {
  return { ...rest, tls: tls && withoutCertificates(tls), sasl: sasl && withoutSecrets(sasl) };
}
