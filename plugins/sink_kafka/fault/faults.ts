/**
 * What is told to people: an error as a fault with the address, topic and user concerned, and what to do.
 *
 * No text says for how long something has been so: the same trouble again is then the same text, and no news for the log.
 *
 * @module
 */

import { type Fault, FaultError, misconfigured, unavailable } from "@pg-tide/sdk";
import { authorizationAdvice } from "./authorization.ts";
import { classify } from "./classify.ts";
import { type Address, formatAddress } from "../config/connection.ts";
import type { Options } from "../config/options.ts";
import { tell } from "./tell.ts";

/** The fault that a thrown value stands for. What nobody foresaw is an outage: it is tried again, and told in its own words. */
export function asFault(error: unknown): Fault {
  return error instanceof FaultError ? error.fault : unavailable("KAFKA_SINK", tell(error).text);
}

/** The fault of a topic that does not exist. */
export function missingTopic(topic: string, { allowAutoCreateTopics }: Options): Fault {
  const allow = allowAutoCreateTopics ? "" : " and allow_auto_create_topics to true here";
  return misconfigured(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `Topic does not exist: "${topic}"`,
    `Create the topic: kafka-topics --create --topic ${topic} --partitions 6 --replication-factor 3; ` +
      `or set auto.create.topics.enable=true on the cluster${allow} (not recommended for production). Without the right to ` +
      "describe a topic it also seems not to exist",
  );
}

/** The fault for an error code that needs a person. */
export function blockedFault(
  code: number,
  message: string | null,
  operation: string,
  topic: string | undefined,
  options: Options,
): Fault {
  const { name, why } = classify(code);
  const what = topic === undefined ? operation : `${operation} topic "${topic}"`;
  const said = message === null || message === "" ? "" : `: ${message}`;
  return misconfigured(
    name,
    `Cannot ${what}: ${name}, ${why}${said}`,
    adviceFor(name, operation, topic, options),
  );
}

/** The fault of a request that a broker cannot fulfil now. */
export function unansweredFault(code: number, operation: string, address: Address): Fault {
  const { name, why } = classify(code);
  return unavailable(
    name,
    `Cannot ${operation}: Kafka broker ${formatAddress(address)} answers ${name}, ${why}`,
  );
}

function adviceFor(name: string, operation: string, topic: string | undefined, options: Options): string {
  const authorization = authorizationAdvice(name, operation, topic, options);
  if (authorization !== undefined) return authorization;
  switch (name) {
    case "INVALID_TOPIC_EXCEPTION":
      return "Use letters, digits, '.', '_' and '-' in the topic's name, at most 249 of them, and no internal topic";
    case "UNSUPPORTED_COMPRESSION_TYPE":
      return `Choose another compression than "${options.compression}"`;
    case "UNSUPPORTED_VERSION":
      return "Use Apache Kafka 2.8 or later, or a compatible service";
    case "SASL_AUTHENTICATION_FAILED":
    case "ILLEGAL_SASL_STATE":
    case "UNSUPPORTED_SASL_MECHANISM":
      return "Verify that sasl_mechanism matches what the cluster expects, and check sasl_username and sasl_password";
    default:
      return "Check the topic's and the cluster's configuration, and the broker's log";
  }
}

/** The fault of a partition that was tried for `delivery_timeout_ms`. */
export function exhausted(topic: string, partition: number, last: string): Fault {
  return unavailable(
    "DELIVERY_TIMEOUT",
    `Cannot write to partition ${partition} of topic "${topic}": ${last}`,
  );
}

/** Why a request has no answer, and where to look. */
export function lostRequest(error: unknown): string {
  return `${tell(error).text}. Check that broker's load and its log, and the network between`;
}

/** The fault of a topic that has lost partitions: its records must be distributed anew. */
export function fewerPartitions(topic: string, count: number): Fault {
  const reason = `Topic "${topic}" has only ${count} partitions now, so it was deleted and created again`;
  return unavailable("UNKNOWN_TOPIC_OR_PARTITION", reason);
}

/** The fault of a page that was not delivered in time although its batches were not given up. */
export function overdue(): Fault {
  return unavailable(
    "DELIVERY_TIMEOUT",
    "Cannot deliver within delivery_timeout_ms: the brokers take records too slowly. Check their load and the quotas for this " +
      "client_id and user",
  );
}

/** The fault of a partition without a leader, or with -1 of a topic without any partition. */
export function leaderless(topic: string, partition: number): Fault {
  const what = partition < 0 ? `Topic "${topic}"` : `Partition ${partition} of topic "${topic}"`;
  return unavailable(
    "LEADER_NOT_AVAILABLE",
    `${what} has no leader. Check which brokers are down: kafka-topics --describe --unavailable-partitions`,
  );
}

/** Why a record is too large, with its sizes, for the topic's limit on batches or on segments. */
export function tooLarge(
  topic: string,
  recordBytes: number,
  batchBytes: number,
  limit: "max.message.bytes" | "segment.bytes",
): string {
  return `Message too large for topic "${topic}": the record has ${recordBytes} bytes, ${batchBytes} as sent in a batch of its ` +
    `own, more than ${limit} allows. Check your message payload sizes, increase ${limit} on the broker or ` +
    "topic, or reduce the payload with a JMESPath projection (transform.payload)";
}
