/**
 * The fields of a pipeline's configuration that belong to the kernel.
 *
 * A sink may declare one of the fields that say where records go (`SHARED_FIELDS`) itself, to require it or to narrow
 * it: its declaration then stands in place of the kernel's, and both read the value.
 *
 * @module
 */

import { CONTRACT_VERSION, type FieldRule, type FieldSpec } from "@pg-tide/sdk";

/** The format under which payloads go out unchanged: `native` of the configuration, `json` of the registry. */
export const NATIVE_FORMAT = "native";

/** The kernel's fields, as every pipeline may give them. */
export const KERNEL_FIELDS: readonly FieldSpec[] = [
  {
    name: "sink_type",
    type: "string",
    required: true,
    doc: "The sink plugin that the messages go to.",
    examples: ["kafka"],
  },
  {
    name: "topic",
    type: "string",
    template: true,
    min: 1,
    max: 1000,
    doc: "Where each record goes: a name, or a template over the message's variables. " +
      "Without it, records go to the outbox's name.",
    examples: ["order-events", "orders.events.{op}"],
  },
  {
    name: "message_key",
    type: "string",
    template: true,
    max: 1000,
    doc: "Template of the record's key, which decides the partition unless `partition` does. " +
      "Without it, the key is the message's deduplication key.",
    examples: ["{dedup_key}", "{payload.customer_id}"],
  },
  {
    name: "partition",
    type: "string",
    template: true,
    min: 1,
    max: 1000,
    // Anything else between the variables, or as a default, could never give a number.
    pattern: "([0-9]|[{][^{}|]*([|][0-9]*)?[}])+",
    patternDoc: 'digits and variables, such as "{payload.shard}" or "{payload.shard|0}"',
    doc:
      "Template of the number of the partition that each record goes to, for sinks with partitions. It goes before the " +
      "sink's partitioner; without it, the sink chooses.",
    examples: ["{payload.shard}", "{header.shard|0}"],
  },
  {
    name: "headers",
    type: "string_map",
    max: 100,
    interpolates: true,
    doc: "Headers to put on every record, besides the relay's own and the message's.",
    examples: [{ source: "orders-service" }],
  },
  {
    name: "transform.filter",
    type: "string",
    max: 16384,
    doc: "JMESPath expression over the payload. A message for which it is false is not sent.",
    examples: ["total > `100`", "message().op == 'insert'"],
  },
  {
    name: "transform.payload",
    type: "string",
    max: 16384,
    doc: "JMESPath expression over the payload. Its result is sent in place of the payload.",
    examples: ["{id: order_id, total: total}"],
  },
  {
    name: "wire_format",
    type: "string",
    default: NATIVE_FORMAT,
    doc: 'How payloads are encoded. "native" sends the JSON payload as it was published.',
    examples: [NATIVE_FORMAT],
  },
  {
    name: "wire_config",
    type: "object",
    max: 0,
    doc: "The fields of the wire format. The native format has none.",
  },
  {
    name: "start",
    type: "string",
    default: "earliest",
    pattern:
      "earliest|latest|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})",
    patternDoc: '"earliest", "latest" or a time such as "2026-01-31T12:00:00Z"',
    doc:
      "Where a new consumer group starts: at the oldest message kept, behind the newest, or at the first " +
      "message published at or after a time. A group that has a position keeps it.",
    examples: ["latest", "2026-01-31T12:00:00Z"],
  },
  {
    name: "poll_interval_ms",
    type: "integer",
    default: 1000,
    min: 5,
    max: 3_600_000,
    doc:
      "The longest time between two looks at an idle outbox, in milliseconds. A notification of the database ends it early.",
  },
  {
    name: "retry.max_attempts",
    type: "integer",
    default: 10,
    min: 1,
    max: 1_000_000,
    doc: "How often a message that fails by itself is tried before it goes to the dead letters. " +
      "An outage of the sink counts no attempt.",
  },
  {
    name: "retry.initial_ms",
    type: "integer",
    default: 100,
    min: 1,
    max: 3_600_000,
    doc: "The longest wait before the second attempt, in milliseconds. It doubles with every further one.",
  },
  {
    name: "retry.max_ms",
    type: "integer",
    default: 30_000,
    min: 1,
    max: 3_600_000,
    doc: "The longest wait between two attempts, in milliseconds, also while the sink is not reachable.",
  },
  {
    name: "dlq.max_letters",
    type: "integer",
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    doc:
      "The most dead letters that the pipeline keeps. One that has so many is blocked at the next message that cannot be " +
      "delivered, until some of them are sent again or discarded: none is dropped to make room.",
  },
  {
    name: "dlq.retention_days",
    type: "integer",
    min: 1,
    max: 36_500,
    doc:
      "How long dead letters are kept after they failed last, in days. Older ones are dropped, with a warning in the log and " +
      "counted in `status`. Without it, they are kept until somebody sends them again or discards them.",
    examples: [90],
  },
];

/** Rules between the kernel's fields. */
export const KERNEL_RULES: readonly FieldRule[] = [];

/** The kernel as `tide.plugin` holds it, beside the plugins: what every configuration may have. */
export const KERNEL_DESCRIPTION = {
  kind: "kernel",
  name: "kernel",
  contract: CONTRACT_VERSION,
  summary: "Fields of every pipeline",
  fields: KERNEL_FIELDS,
  rules: KERNEL_RULES,
} as const;

/** The kernel's fields that a sink may declare in its own way, with the same type. */
export const SHARED_FIELDS: ReadonlySet<string> = new Set(["topic", "message_key", "partition", "headers"]);

/** Where the fields of a format stand in a pipeline's configuration. */
export const FORMAT_GROUP = "wire_config";
