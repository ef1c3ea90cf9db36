/**
 * What is told when a broker cannot be talked to: which one, why, and what to look at.
 *
 * @module
 */

import { type Fault, misconfigured, unavailable } from "@pg-tide/sdk";
import { type Address, formatAddress } from "../config/connection.ts";
import type { Options } from "../config/options.ts";
import { authenticationFault } from "./authentication.ts";
import { tell, type Told } from "./tell.ts";
import { tlsFault } from "./tls_fault.ts";

const CHECK_CONNECTION =
  "Check that broker addresses are correct and include ports, that the network lets the relay " +
  "through (firewall rules, security groups, VPC peering), that DNS resolves the broker hostnames, and that tls_enabled is " +
  "set if the cluster requires TLS";

const HUNG =
  "The broker takes the connection and does not answer: it may hang or be overloaded, or it is no Kafka broker";

/** How a broker was to be connected to. */
export interface Attempt {
  readonly address: Address;
  /** Whether the cluster has named the address, not the configuration. */
  readonly advertised: boolean;
  readonly options: Options;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** The fault of a broker that could not be connected to. */
export function connectionFault(error: unknown, attempt: Attempt): Fault {
  const { options, nowMs } = attempt;
  const where = formatAddress(attempt.address);
  const told = tell(error);
  // A name that the Worker may not reach is not even looked up, and that fails in another way than an address.
  const forbidden = told.codes.includes("NotCapable") || /getaddrinfo EPERM/.test(told.text);
  if (forbidden) return { kind: "hosts", hosts: [where] };
  return authenticationFault(told, where, options.sasl) ??
    tlsFault(told, where, options.tls, nowMs) ??
    versionFault(told, where) ??
    unavailable("BROKER_UNREACHABLE", unreachable(told, where, attempt));
}

function unreachable(told: Told, where: string, { advertised, options }: Attempt): string {
  const origin = advertised
    ? " (the address that the cluster advertises: the relay must be able to reach it, see advertised.listeners)"
    : "";
  // Not a word is all that many a broker says when it is not talked to as it wants; but so does one that goes down.
  const closed = /closed|reset|handshake failed/i.test(told.text) ? `. ${silence(told, options)}` : "";
  const hung = /Request timed out|No answer within/.test(told.text) ? `. ${HUNG}` : "";
  return `Cannot reach Kafka broker ${where}${origin}: ${told.text}${closed || hung}. ${CHECK_CONNECTION}`;
}

/** What a broker that closes the connection without a word may want. */
function silence(told: Told, { sasl, tls }: Options): string {
  const wants = tls === undefined
    ? ["TLS (tls_enabled)"]
    : /handshake failed/i.test(told.text)
    ? ["no TLS: the port of a listener without it answers TLS so"]
    : tls.client === undefined
    ? ["a client certificate (tls_client_cert)"]
    : [];
  if (sasl === undefined) wants.push("SASL (sasl_mechanism)");
  return `The broker closed the connection${wants.length === 0 ? "" : `: it may want ${wants.join(" or ")}`}`;
}

function versionFault(told: Told, where: string): Fault | undefined {
  const advice: Readonly<Record<string, string>> = {
    UNSUPPORTED_VERSION: "Use Apache Kafka 2.8 or later, or a compatible service",
    IDEMPOTENCE_NOT_OFFERED: "Set idempotent to false, or use a cluster that supports idempotent producers",
  };
  const code = told.codes.find((one) => Object.hasOwn(advice, one));
  return code === undefined
    ? undefined
    : misconfigured(code, `Cannot use Kafka broker ${where}: ${told.text}`, advice[code]!);
}
