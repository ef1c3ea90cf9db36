/**
 * How to find the brokers and talk to them: fields and options. Pure.
 *
 * @module
 */

import type { FieldSpec, PluginConfig } from "@pg-tide/sdk";
import { numberOf, textOf } from "./value.ts";

/** A broker's address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How to find the brokers and talk to them. */
export interface ConnectionOptions {
  readonly brokers: readonly Address[];
  readonly clientId: string;
  /** The data centre that the relay is in, as the brokers name theirs. */
  readonly clientRack?: string;
  /** What making a connection may take: TCP, TLS, SASL and the choice of versions together. */
  readonly connectTimeoutMs: number;
  /** After so long without a request a connection is closed. */
  readonly idleTimeoutMs: number;
  /** How often the cluster is asked about everything. */
  readonly metadataMaxAgeMs: number;
  /** Whether brokers may create a topic that is asked about. */
  readonly allowAutoCreateTopics: boolean;
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
    "Comma-separated list of broker addresses (`host:port`). The other brokers of the cluster are learnt from these (Java: " +
    "`bootstrap.servers`).",
  examples: ["localhost:9092", "kafka-1:9093,kafka-2:9093,kafka-3:9093", "${env:KAFKA_BROKERS}"],
};

/** The other fields. */
export const CONNECTION_FIELDS: readonly FieldSpec[] = [
  {
    name: "client_id",
    type: "string",
    default: "pg-tide",
    interpolates: true,
    min: 1,
    max: 249,
    doc: "Name under which the brokers log this client and apply quotas to it (Java: `client.id`).",
  },
  {
    name: "client_rack",
    type: "string",
    interpolates: true,
    min: 1,
    max: 249,
    doc:
      "Rack or zone that the relay runs in, as the brokers name theirs (`broker.rack`): records without a key go to partitions " +
      "that are led from there, as long as there are any (Java: `client.rack` with `partitioner.rack.aware`).",
    examples: ["eu-central-1a", "${env:KAFKA_CLIENT_RACK}"],
  },
  {
    name: "connect_timeout_ms",
    type: "integer",
    default: 10_000,
    min: 100,
    max: 60_000,
    doc: "How long making a connection may take, in milliseconds: TCP, TLS and SASL together (Java: " +
      "`socket.connection.setup.timeout.ms`).",
  },
  {
    name: "connections_max_idle_ms",
    type: "integer",
    default: 540_000,
    min: 1_000,
    max: 86_400_000,
    doc:
      "A connection on which nothing was sent for so long, in milliseconds, is closed, and made again when it is needed. Keep it " +
      "below what firewalls, NAT and load balancers on the way forget connections after, and below the brokers' own " +
      "`connections.max.idle.ms` (Java: `connections.max.idle.ms`).",
  },
  {
    name: "metadata_max_age_ms",
    type: "integer",
    default: 300_000,
    min: 1_000,
    max: 86_400_000,
    doc:
      "How often, in milliseconds, the cluster is asked about its brokers, partitions and leaders although nothing went wrong: so " +
      "long a new partition can stay without messages (Java: `metadata.max.age.ms`).",
  },
  {
    name: "allow_auto_create_topics",
    type: "boolean",
    default: true,
    doc:
      "Whether asking about a topic that does not exist may create it, if the brokers' `auto.create.topics.enable` says so too " +
      "(Java: `allow.auto.create.topics`, which only its consumers have).",
  },
];

/** Read the options from fields that the kernel has parsed. @throws as `parseOptions` */
export function parseConnection(fields: PluginConfig["fields"]): ConnectionOptions {
  const rack = fields.client_rack ?? null;
  return {
    brokers: parseBrokers(textOf(fields, "brokers")),
    clientId: textOf(fields, "client_id"),
    ...(rack === null ? {} : { clientRack: textOf(fields, "client_rack") }),
    connectTimeoutMs: numberOf(fields, "connect_timeout_ms"),
    idleTimeoutMs: numberOf(fields, "connections_max_idle_ms"),
    metadataMaxAgeMs: numberOf(fields, "metadata_max_age_ms"),
    allowAutoCreateTopics: fields.allow_auto_create_topics === true,
  };
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
