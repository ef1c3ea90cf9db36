/**
 * The Kafka sink as data: its fields, the rules between them and what it asks to touch.
 *
 * @module
 */

import {
  CONTRACT_VERSION,
  type FieldRule,
  type FieldSpec,
  type PermissionRequest,
  type PluginDescription,
} from "@pg-tide/sdk";

/** 1 to 65535. */
const PORT_PATTERN = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

const ADDRESS_PATTERN = ` *(\\[[0-9A-Fa-f:.]+\\]|[^ ,:/]+):${PORT_PATTERN} *`;

/** The sink's own fields. `sink_type`, `topic`, `message_key`, `headers` and `wire_format` belong to the kernel. */
const FIELDS: readonly FieldSpec[] = [
  {
    name: "brokers",
    type: "string",
    required: true,
    interpolates: true,
    pattern: `${ADDRESS_PATTERN}(,${ADDRESS_PATTERN})*`,
    patternDoc: "a comma-separated list of host:port",
    doc:
      "Comma-separated list of broker addresses (`host:port`). The other brokers of the cluster are learnt from these.",
    examples: ["localhost:9092", "kafka-1:9093,kafka-2:9093,kafka-3:9093", "${env:KAFKA_BROKERS}"],
  },
  {
    name: "sasl_mechanism",
    type: "string",
    values: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
    doc: "Authentication mechanism. Absent: no SASL.",
    examples: ["SCRAM-SHA-256"],
  },
  {
    name: "sasl_username",
    type: "string",
    interpolates: true,
    doc: "SASL username (for Confluent Cloud: the API key).",
    examples: ["${env:KAFKA_USERNAME}"],
  },
  {
    name: "sasl_password",
    type: "string",
    interpolates: true,
    secret: true,
    doc: "SASL password (for Confluent Cloud: the API secret).",
    examples: ["${env:KAFKA_PASSWORD}"],
  },
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
  {
    name: "compression",
    type: "string",
    values: ["none", "gzip", "snappy", "lz4", "zstd"],
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
    name: "client_id",
    type: "string",
    default: "pg-tide",
    min: 1,
    max: 249,
    doc: "Name under which the brokers log this client and apply quotas to it (Java: `client.id`).",
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
const RULES: readonly FieldRule[] = [
  {
    when: { field: "sink_type", is: ["kafka"] },
    then: { field: "topic" },
    message:
      'topic must be set when sink_type is "kafka": name the topic, or give a template such as "events.{op}"',
  },
  {
    when: { field: "idempotent", is: [true] },
    then: { field: "acks", is: ["all"] },
    message: 'idempotent needs acks "all": set acks to "all", or idempotent to false',
  },
  {
    when: { field: "sasl_username" },
    then: { field: "sasl_mechanism" },
    message: "sasl_username is set without sasl_mechanism: set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
  },
  {
    when: { field: "sasl_password" },
    then: { field: "sasl_mechanism" },
    message: "sasl_password is set without sasl_mechanism: set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
  },
  {
    when: { field: "sasl_mechanism" },
    then: { field: "sasl_username" },
    message: "sasl_mechanism is set without sasl_username: set the user's name, or remove sasl_mechanism",
  },
  {
    when: { field: "sasl_mechanism" },
    then: { field: "sasl_password" },
    message: "sasl_mechanism is set without sasl_password: set the user's password, or remove sasl_mechanism",
  },
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

/** The brokers, those that they name, and the code of two compression codecs. */
const PERMISSIONS: PermissionRequest = {
  net: ["{brokers}"],
  discoversHosts: true,
  assets: ["@platformatic/wasm-utils/dist/native.wasm"],
};

/** What the kernel reads without starting the sink. */
export const MANIFEST: PluginDescription = {
  name: "kafka",
  kind: "sink",
  contract: CONTRACT_VERSION,
  summary: "Apache Kafka 2.8 and later, and what speaks its protocol: Confluent, MSK, Redpanda, Aiven",
  fields: FIELDS,
  rules: RULES,
  permissions: PERMISSIONS,
  topicRule: {
    pattern: "(?!\\.{1,2}$)[a-zA-Z0-9._-]{1,249}",
    doc: 'at most 249 letters, digits, ".", "_" and "-"',
  },
};
