/**
 * A program for the tests of `acks: "0"`: delivers records one by one and prints how many of them count as delivered, until it is killed.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import { kafkaConfig, recordPage } from "../../support/kafka_sink.ts";

const [brokers, topic] = Deno.args;
const patient = { request_timeout_ms: 600_000, delivery_timeout_ms: 3_600_000, linger_ms: 0 };
const sink = await openSink(kafkaConfig({ brokers: brokers!, acks: "0", ...patient }));
const value = "x".repeat(1_000);
for (let count = 1;; count++) {
  await sink.deliver(recordPage(topic!, [{ value }]), 1);
  console.log(count);
}
