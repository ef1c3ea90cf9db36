/**
 * How records are put into batches and sent: fields and options. Pure.
 *
 * @module
 */

import type { FieldRule, FieldSpec, PluginConfig } from "@pg-tide/sdk";
import { numberOf, oneOf } from "./value.ts";

/** The values of the field `compression`. */
const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** A value of the field `compression`. */
export type Compression = typeof COMPRESSIONS[number];

/** How records are put into batches and sent. */
export interface ProducerOptions {
  readonly compression: Compression;
  /** -1 is "all". */
  readonly acks: -1 | 0 | 1;
  readonly batchSize: number;
  readonly lingerMs: number;
  readonly idempotent: boolean;
  readonly requestTimeoutMs: number;
  readonly deliveryTimeoutMs: number;
  readonly maxRequestBytes: number;
  readonly timestamp: "created" | "now";
}

/** The fields. */
export const PRODUCER_FIELDS: readonly FieldSpec[] = [
  {
    name: "compression",
    type: "string",
    values: COMPRESSIONS,
    default: "none",
    doc: "Compression codec of record batches (zstd at level 1, gzip at 6).",
    examples: ["zstd"],
  },
  {
    name: "acks",
    type: "string",
    values: ["0", "1", "all"],
    default: "all",
    doc:
      'Acknowledgment level: "0" (fire-and-forget: a record counts as delivered once it is written to the socket, and is lost ' +
      'if the broker then fails), "1" (leader only), "all" (all in-sync replicas).',
  },
  {
    name: "batch_size",
    type: "integer",
    default: 100,
    min: 1,
    max: 100_000,
    doc: "Maximum messages per produce request.",
    examples: [500],
  },
  {
    name: "linger_ms",
    type: "integer",
    default: 10,
    min: 0,
    max: 60_000,
    doc: "Time to wait for a batch to fill before sending, in milliseconds.",
    examples: [50],
  },
  {
    name: "idempotent",
    type: "boolean",
    default: false,
    doc: 'Enable the idempotent producer (prevents duplicates on retry). Needs acks "all".',
  },
  {
    name: "request_timeout_ms",
    type: "integer",
    default: 30_000,
    min: 100,
    max: 600_000,
    doc:
      "Timeout for produce requests, in milliseconds. After it the connection is given up and the request sent again.",
  },
  {
    name: "delivery_timeout_ms",
    type: "integer",
    default: 120_000,
    min: 100,
    max: 3_600_000,
    doc:
      "How long the sink sends a batch again by itself, in milliseconds, before it reports an outage and the relay " +
      "takes over; at least `linger_ms` + `request_timeout_ms` (Java: `delivery.timeout.ms`).",
  },
  {
    name: "max_request_size",
    type: "integer",
    default: 1_048_576,
    min: 1_024,
    max: 104_857_600,
    doc:
      "Maximum bytes of a produce request. A larger record is sent in a request of its own, and the broker's " +
      "`max.message.bytes` decides (Java: `max.request.size`).",
  },
  {
    name: "timestamp",
    type: "string",
    values: ["created", "now"],
    default: "created",
    doc:
      'The record\'s timestamp: when its message was published ("created") or when it is sent ("now"). A topic deletes ' +
      "records that are older than its retention, also on arrival.",
  },
];

/** What contradicts what. */
export const PRODUCER_RULES: readonly FieldRule[] = [
  {
    when: { field: "idempotent", is: [true] },
    then: { field: "acks", is: ["all"] },
    message: 'idempotent needs acks "all": set acks to "all", or idempotent to false',
  },
];

/** Read the options from fields that the kernel has parsed. @throws as `parseOptions` */
export function parseProducer(fields: PluginConfig["fields"]): ProducerOptions {
  const lingerMs = numberOf(fields, "linger_ms");
  const requestTimeoutMs = numberOf(fields, "request_timeout_ms");
  return {
    compression: oneOf(fields, "compression", COMPRESSIONS),
    acks: ACKS[oneOf(fields, "acks", ["0", "1", "all"] as const)],
    batchSize: numberOf(fields, "batch_size"),
    lingerMs,
    idempotent: fields.idempotent === true,
    requestTimeoutMs,
    // A batch must have the time to fill and to be sent at least once.
    deliveryTimeoutMs: Math.max(numberOf(fields, "delivery_timeout_ms"), lingerMs + requestTimeoutMs),
    maxRequestBytes: numberOf(fields, "max_request_size"),
    timestamp: oneOf(fields, "timestamp", ["created", "now"] as const),
  };
}

const ACKS = { "0": 0, "1": 1, all: -1 } as const;
