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

/**
 * The highest level of gzip, and of zstd here, which goes to 22: above 9 it takes a few MB a second, and a batch is compressed in the
 * sink's event loop, so that one of 16 MB would let the kernel take the sink for hung.
 */
const LEVEL_MAX = 9;

/** The values of the field `partitioner`. */
const PARTITIONERS = ["murmur2", "consistent", "random"] as const;

/** A value of the field `partitioner`. */
export type Partitioner = typeof PARTITIONERS[number];

/** How records are put into batches and sent. */
export interface ProducerOptions {
  readonly compression: Compression;
  /** Absent: the codec's own. */
  readonly compressionLevel?: number;
  /** -1 is "all". */
  readonly acks: -1 | 0 | 1;
  readonly batchSize: number;
  readonly lingerMs: number;
  readonly idempotent: boolean;
  readonly requestTimeoutMs: number;
  readonly deliveryTimeoutMs: number;
  readonly maxRequestBytes: number;
  /** Requests in flight to one broker. */
  readonly maxInFlight: number;
  readonly partitioner: Partitioner;
  readonly timestamp: "created" | "now";
  /** Whether a value that is the JSON text `null` becomes a record without a value. */
  readonly tombstoneOnNull: boolean;
}

/** The fields. */
export const PRODUCER_FIELDS: readonly FieldSpec[] = [
  {
    name: "compression",
    type: "string",
    values: COMPRESSIONS,
    default: "none",
    doc: "Compression codec of record batches (Java: `compression.type`).",
    examples: ["zstd"],
  },
  {
    name: "compression_level",
    type: "integer",
    min: 1,
    max: LEVEL_MAX,
    doc:
      "How hard gzip or zstd tries; the other codecs have no levels here. Absent: 6 with gzip, 1 with zstd " +
      "(Java: `compression.gzip.level`, `compression.zstd.level`).",
    examples: [3],
  },
  {
    name: "acks",
    type: "string",
    values: ["0", "1", "all"],
    default: "all",
    doc:
      'Acknowledgment level: "0" (fire-and-forget: a record counts as delivered once it is handed to the operating system, and is lost ' +
      'if the broker then fails), "1" (leader only), "all" (all in-sync replicas) (Java: `acks`).',
  },
  {
    name: "batch_size",
    type: "integer",
    default: 100,
    min: 1,
    max: 100_000,
    doc:
      "Maximum messages per produce request, and so per batch. It counts messages; bytes are bounded by `max_request_size` " +
      "(Java's `batch.size` counts bytes).",
    examples: [500],
  },
  {
    name: "linger_ms",
    type: "integer",
    default: 10,
    min: 0,
    max: 60_000,
    doc: "Time to wait for a batch to fill before sending, in milliseconds (Java: `linger.ms`).",
    examples: [50],
  },
  {
    name: "idempotent",
    type: "boolean",
    default: false,
    doc:
      'Enable the idempotent producer (prevents duplicates on retry). Needs acks "all" (Java: `enable.idempotence`).',
  },
  {
    name: "max_in_flight",
    type: "integer",
    default: 5,
    min: 1,
    max: 50,
    doc:
      "Maximum produce requests to one broker that are not acknowledged yet. Whatever it says, a partition has at most 5 batches " +
      'in flight when `idempotent`, else 1, so that a retry changes no order; with acks "0" one request at a time is written ' +
      "(Java: `max.in.flight.requests.per.connection`).",
    examples: [10],
  },
  {
    name: "request_timeout_ms",
    type: "integer",
    default: 30_000,
    min: 100,
    max: 600_000,
    doc:
      "Timeout for produce requests, in milliseconds. After it the connection is given up and the request sent again " +
      "(Java: `request.timeout.ms`).",
  },
  {
    name: "delivery_timeout_ms",
    type: "integer",
    default: 120_000,
    min: 100,
    max: 3_600_000,
    doc:
      "How long the sink sends a batch again by itself, in milliseconds, before it reports an outage and the relay " +
      "takes over; less than `linger_ms` + `request_timeout_ms` counts as their sum (Java: `delivery.timeout.ms`).",
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
    name: "partitioner",
    type: "string",
    values: PARTITIONERS,
    default: "murmur2",
    doc:
      'How the key chooses the partition: "murmur2" (as the Java client), "consistent" (CRC-32, as librdkafka\'s ' +
      '`consistent_random`, for which an empty key is none), "random" (it does not, as with Java\'s ' +
      "`partitioner.ignore.keys`: messages of one key then lose their order). Records without a key stay on one partition for " +
      "a batch, then go to another one at random.",
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
  {
    name: "tombstone_on_null",
    type: "boolean",
    default: false,
    doc:
      "Send a value that is the JSON text `null` as a record without a value: a tombstone, by which a compacted topic forgets " +
      "the key.",
  },
];

/** What contradicts what. */
export const PRODUCER_RULES: readonly FieldRule[] = [
  {
    when: { field: "idempotent", is: [true] },
    then: { field: "acks", is: ["all"] },
    message: 'idempotent needs acks "all": set acks to "all", or idempotent to false',
  },
  {
    when: { field: "compression_level" },
    then: { field: "compression", is: ["gzip", "zstd"] },
    message: 'compression_level needs compression "gzip" or "zstd": the other codecs have no levels here',
  },
];

/** Read the options from fields that the kernel has parsed. @throws as `parseOptions` */
export function parseProducer(fields: PluginConfig["fields"]): ProducerOptions {
  const lingerMs = numberOf(fields, "linger_ms");
  const requestTimeoutMs = numberOf(fields, "request_timeout_ms");
  const level = fields.compression_level ?? null;
  return {
    compression: oneOf(fields, "compression", COMPRESSIONS),
    ...(level === null ? {} : { compressionLevel: numberOf(fields, "compression_level") }),
    acks: ACKS[oneOf(fields, "acks", ["0", "1", "all"] as const)],
    batchSize: numberOf(fields, "batch_size"),
    lingerMs,
    idempotent: fields.idempotent === true,
    requestTimeoutMs,
    // A batch must have the time to fill and to be sent at least once.
    deliveryTimeoutMs: Math.max(numberOf(fields, "delivery_timeout_ms"), lingerMs + requestTimeoutMs),
    maxRequestBytes: numberOf(fields, "max_request_size"),
    maxInFlight: numberOf(fields, "max_in_flight"),
    partitioner: oneOf(fields, "partitioner", PARTITIONERS),
    timestamp: oneOf(fields, "timestamp", ["created", "now"] as const),
    tombstoneOnNull: fields.tombstone_on_null === true,
  };
}

const ACKS = { "0": 0, "1": 1, all: -1 } as const;
