import { type Fault, FaultError, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import {
  asFault,
  blockedFault,
  exhausted,
  leaderless,
  lostRequest,
  missingTopic,
  tooLarge,
} from "../../../../plugins/sink_kafka/fault/faults.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";

const PLAIN = parseOptions(kafkaConfig({ brokers: "kafka:9092" }).fields);
const SASL = parseOptions(
  kafkaConfig({
    brokers: "kafka:9092",
    sasl_mechanism: "PLAIN",
    sasl_username: "relay",
    sasl_password: "pa55",
  }).fields,
);

function reasonOf(fault: Fault): string {
  assert.ok(fault.kind !== "hosts");
  return fault.reason;
}

Deno.test("missingTopic() gives the command that creates it", () => {
  const fault = missingTopic("order-events", PLAIN);
  assert.ok(fault.kind === "configuration");
  assert.equal(fault.reason, 'Topic does not exist: "order-events"');
  assert.match(
    fault.advice,
    /kafka-topics --create --topic order-events --partitions 6 --replication-factor 3/,
  );
  assert.match(fault.advice, /set auto\.create\.topics\.enable=true on the cluster \(not recommended/);
  const forbidden = missingTopic("order-events", { ...PLAIN, allowAutoCreateTopics: false });
  assert.ok(forbidden.kind === "configuration");
  assert.match(forbidden.advice, /on the cluster and allow_auto_create_topics to true here \(not/);
});

Deno.test("blockedFault() names principal, topic and operation", () => {
  const write = blockedFault(29, null, "write to", "t", SASL);
  assert.ok(write.kind === "configuration");
  assert.match(write.advice, /Allow User:relay the operation Write on topic "t"/);
  const producer = blockedFault(31, null, "get a producer id", undefined, PLAIN);
  assert.ok(producer.kind === "configuration");
  assert.match(producer.advice, /IdempotentWrite .* or set idempotent to false/);
  const codec = blockedFault(76, "no zstd", "write to", "t", { ...PLAIN, compression: "zstd" });
  assert.ok(codec.kind === "configuration");
  assert.equal(codec.advice, 'Choose another compression than "zstd"');
  assert.match(
    codec.reason,
    /UNSUPPORTED_COMPRESSION_TYPE, the broker does not know this compression: no zstd$/,
  );
});

Deno.test("exhausted() names what was written to, and lostRequest() which broker did not answer", () => {
  const error = new Error("Request to Kafka broker kafka-1:9092 failed", {
    cause: new Error("Request timed out"),
  });
  assert.deepEqual(
    exhausted("t", 3, lostRequest(error)),
    unavailable(
      "DELIVERY_TIMEOUT",
      'Cannot write to partition 3 of topic "t": Request to Kafka broker kafka-1:9092 failed: Request timed out. Check that ' +
        "broker's load and its log, and the network between",
    ),
  );
});

Deno.test("leaderless() and tooLarge() tell topic, partition and sizes", () => {
  assert.match(
    reasonOf(leaderless("t", 3)),
    /^Partition 3 of topic "t" has no leader\. Check which brokers are down/,
  );
  assert.match(reasonOf(leaderless("t", -1)), /^Topic "t" has no leader/);
  assert.equal(
    tooLarge("t", 2_000_000, 1_900_000, "max.message.bytes"),
    'Message too large for topic "t": the record has 2000000 bytes, 1900000 as sent in a batch of its own, more than ' +
      "max.message.bytes allows. Check your message payload sizes, increase max.message.bytes on the broker or topic, or reduce " +
      "the payload with a JMESPath projection (transform.payload)",
  );
  assert.match(
    tooLarge("t", 2, 1, "segment.bytes"),
    /more than segment\.bytes allows\. .* increase segment\.bytes on/,
  );
});

Deno.test("asFault() keeps a fault, and takes what nobody foresaw for an outage", () => {
  const fault = unavailable("X", "x");
  assert.equal(asFault(new FaultError(fault)), fault);
  assert.deepEqual(asFault(new TypeError("boom")), unavailable("KAFKA_SINK", "boom"));
  assert.deepEqual(asFault("text"), unavailable("KAFKA_SINK", "text"));
});
