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
import { BROKERS_FIELD, CONNECTION_FIELDS } from "./config/connection.ts";
import { PRODUCER_FIELDS, PRODUCER_RULES } from "./config/producer.ts";
import { SASL_FIELDS, SASL_RULES } from "./config/sasl.ts";
import { TLS_FIELDS, TLS_RULES } from "./config/tls.ts";

/** The sink's own fields. `sink_type`, `topic`, `message_key`, `headers` and `wire_format` belong to the kernel. */
const FIELDS: readonly FieldSpec[] = [
  BROKERS_FIELD,
  ...SASL_FIELDS,
  ...TLS_FIELDS,
  ...PRODUCER_FIELDS,
  ...CONNECTION_FIELDS,
];

/** What contradicts what. */
const RULES: readonly FieldRule[] = [
  {
    when: { field: "sink_type", is: ["kafka"] },
    then: { field: "topic" },
    message:
      'topic must be set when sink_type is "kafka": name the topic, or give a template such as "events.{op}"',
  },
  ...PRODUCER_RULES,
  ...SASL_RULES,
  ...TLS_RULES,
];

/** The brokers, those that they name, who gives out what is shown to them, and the code of two compression codecs. */
const PERMISSIONS: PermissionRequest = {
  net: ["{brokers}", "{sasl_oauth_token_url}", "{sasl_aws_sts_url}"],
  guardedNet: ["{sasl_aws_credentials_url}"],
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
  partitions: true,
  topicRule: {
    pattern: "(?!\\.{1,2}$)[a-zA-Z0-9._-]{1,249}",
    doc: 'at most 249 letters, digits, ".", "_" and "-"',
  },
};
