/**
 * How to find the brokers and talk to them: fields and options. Pure.
 *
 * @module
 */

import type { FieldSpec, PluginConfig } from "@pg-tide/sdk";
import { textOf } from "./value.ts";

/** A broker's address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How to find the brokers and talk to them. */
export interface ConnectionOptions {
  readonly brokers: readonly Address[];
  readonly clientId: string;
}

/** 1 to 65535. */
const PORT_PATTERN = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

const ADDRESS_PATTERN = ` *(\\[[0-9A-Fa-f:.]+\\]|[^ ,:/]+):${PORT_PATTERN} *`;

/** The field `brokers`, which comes first in every list. */
export const BROKERS_FIELD: FieldSpec = {
  name: "brokers",
  type: "string",
  required: true,
  interpolates: true,
  pattern: `${ADDRESS_PATTERN}(,${ADDRESS_PATTERN})*`,
  patternDoc: "a comma-separated list of host:port",
  doc:
    "Comma-separated list of broker addresses (`host:port`). The other brokers of the cluster are learnt from these.",
  examples: ["localhost:9092", "kafka-1:9093,kafka-2:9093,kafka-3:9093", "${env:KAFKA_BROKERS}"],
};

/** The other fields. */
export const CONNECTION_FIELDS: readonly FieldSpec[] = [
  {
    name: "client_id",
    type: "string",
    default: "pg-tide",
    min: 1,
    max: 249,
    doc: "Name under which the brokers log this client and apply quotas to it (Java: `client.id`).",
  },
];

/** Read the options from fields that the kernel has parsed. @throws as `parseOptions` */
export function parseConnection(fields: PluginConfig["fields"]): ConnectionOptions {
  return { brokers: parseBrokers(textOf(fields, "brokers")), clientId: textOf(fields, "client_id") };
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
