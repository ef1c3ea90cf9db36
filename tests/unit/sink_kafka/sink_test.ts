import type { Answer, Fault } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import type { ClusterPort } from "../../../plugins/sink_kafka/cluster/cluster_port.ts";
import { parseOptions } from "../../../plugins/sink_kafka/config/options.ts";
import type {
  ProduceAnswer,
  Producing,
  TopicBatches,
} from "../../../plugins/sink_kafka/cluster/produce_api.ts";
import { KafkaSink } from "../../../plugins/sink_kafka/sink.ts";
import { kafkaConfig, recordPage } from "../../support/kafka_sink.ts";
import { readBatch } from "../../support/record_batch_reader.ts";
import { SinkClock } from "../../support/sink_clock.ts";

interface Request {
  readonly topics: readonly TopicBatches[];
  readonly done: (error: Error | null, answer?: ProduceAnswer) => void;
}

/** A cluster of one broker, whose answers the test gives. */
class ScriptedCluster implements ClusterPort, Producing {
  readonly requests: Request[] = [];
  readonly asOfMs = 0;
  readonly topic = () => ({ errorCode: 0, leaders: [1, 1] });
  readonly leaderOf = () => 1;
  refreshed = 0;
  readonly refresh = () => Promise.resolve(void this.refreshed++);
  readonly connect = () => Promise.resolve(this);
  readonly connected = () => this;
  readonly initProducerId = () => Promise.resolve({ id: 1n, epoch: 0 });
  readonly forgetUnused = () => {};
  readonly reconfigure = () => {};
  readonly close = () => Promise.resolve();

  produce(_acks: number, _timeoutMs: number, topics: readonly TopicBatches[], done: Request["done"]): void {
    this.requests.push({ topics, done });
  }

  /** Answer the oldest request with this code for every partition. */
  answer(errorCode = 0, throttleMs = 0): void {
    const { topics, done } = this.requests.shift()!;
    const results = topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition }) => ({
        topic,
        partition,
        errorCode,
        errorMessage: null,
        recordErrors: [],
      }))
    );
    done(null, { results, throttleMs });
  }
}

function setup(fields: Parameters<typeof kafkaConfig>[0] = {}) {
  const clock = new SinkClock();
  const cluster = new ScriptedCluster();
  const options = parseOptions(
    kafkaConfig({ brokers: "b:1", linger_ms: 0, batch_size: 1, ...fields }).fields,
  );
  const racks = new Set(["west", "east"]);
  const sink = new KafkaSink({ options, cluster, racks, producer: undefined, clock });
  return { clock, cluster, sink };
}

/** A page whose records have these keys; `21` and `abc` go to different partitions of two. */
const page = (...keys: readonly string[]) => recordPage("t", keys.map((key) => ({ key, value: key })));

/** What an answer is as soon as there is one. */
function watched(answer: Promise<Answer>): { answer: Answer | undefined } {
  const state: { answer: Answer | undefined } = { answer: undefined };
  answer.then((given) => state.answer = given);
  return state;
}

function codeOf(fault: Fault | undefined): string | undefined {
  return fault !== undefined && fault.kind !== "hosts" ? fault.code : fault?.kind;
}

Deno.test("KafkaSink tells the kernel how long it may take, and what an operator should know", () => {
  const { opened } = setup().sink;
  assert.deepEqual(opened, { pagesInFlight: 4, answerWithinMs: 120_000 + 30_000 + 60_000 });
  assert.equal(setup({ batch_size: 20_000 }).sink.opened.pagesInFlight, 9);
  assert.match(
    setup({ acks: "0" }).sink.opened.notice!,
    /acks is "0": a record counts as delivered once it is sent/,
  );
  const password = { sasl_mechanism: "PLAIN", sasl_username: "u", sasl_password: "p" };
  assert.match(setup(password).sink.opened.notice!, /^sasl_password is sent unencrypted/);
  assert.equal(setup({ ...password, tls_enabled: true }).sink.opened.notice, undefined);
  assert.match(
    setup({ ...password, tls_enabled: true, tls_insecure_skip_verify: true }).sink.opened.notice!,
    /^tls_insecure_skip_verify is true: no broker's certificate is verified/,
  );
  assert.match(
    setup({ acks: "0", partitioner: "random" }).sink.opened.notice!,
    /^acks is "0".*; partitioner is "random": messages of one key may arrive in another order$/,
  );
  assert.equal(setup({ client_rack: "east" }).sink.opened.notice, undefined);
  assert.equal(
    setup({ client_rack: "esat" }).sink.opened.notice,
    'client_rack is "esat", where no broker is (broker.rack: "east", "west")',
  );
});

Deno.test("KafkaSink ends a generation with one fault for all, each page when nothing of it is in flight any more", async () => {
  const { clock, cluster, sink } = setup();
  const [first, second] = [
    watched(sink.deliver(page("21"), 1)),
    watched(sink.deliver(page("abc", "abc"), 1)),
  ];
  assert.equal(cluster.requests.length, 2);
  cluster.answer(29);
  await clock.pass(0);
  assert.equal(codeOf(first.answer?.fault), "TOPIC_AUTHORIZATION_FAILED");
  assert.equal(second.answer, undefined, "a broker has a record of it");
  const third = watched(sink.deliver(page("21"), 1));
  await clock.pass(0);
  assert.equal(third.answer?.fault, first.answer?.fault);
  cluster.answer();
  await clock.pass(0);
  assert.deepEqual([...second.answer!.delivered], [0, 1], "what was written counts");
  assert.equal(second.answer!.fault, first.answer!.fault);
  await clock.pass(60_000);
  assert.equal(cluster.requests.length, 0, "the record behind it is not sent");

  const again = watched(sink.deliver(page("21"), 2));
  cluster.answer();
  await clock.pass(0);
  assert.deepEqual([again.answer?.fault, ...again.answer!.delivered], [undefined, 0, 1]);
});

Deno.test("KafkaSink gives up when the brokers take records too slowly, before the kernel takes it for hung", async () => {
  const { clock, cluster, sink } = setup({ delivery_timeout_ms: 1_000, request_timeout_ms: 1_000 });
  const slow = watched(sink.deliver(page("21", "21", "21"), 1));
  cluster.answer(0, 3_600_000);
  await clock.pass(sink.opened.answerWithinMs!);
  assert.equal(codeOf(slow.answer?.fault), "DELIVERY_TIMEOUT");
  assert.deepEqual([...slow.answer!.delivered], [0, 1]);
  assert.equal(cluster.requests.length, 0);
  await sink.close();
});

Deno.test("KafkaSink waits as long as a broker asks it to", async () => {
  const { clock, cluster, sink } = setup();
  sink.deliver(page("21", "21"), 1);
  cluster.answer(0, 500);
  await clock.pass(499);
  assert.equal(cluster.requests.length, 0);
  await clock.pass(2);
  assert.equal(cluster.requests.length, 1);
  await sink.close();
});

Deno.test("KafkaSink has at most max_in_flight requests with a broker, one with acks 0", async () => {
  // Each record is a request of its own: the queues of two partitions let through two, or five each when idempotent.
  for (const [fields, most] of [[{ max_in_flight: 1 }, 1], [{}, 2], [{ acks: "0" }, 1]] as const) {
    const { clock, cluster, sink } = setup(fields);
    sink.deliver(page("21", "abc", "21", "abc"), 1);
    await clock.pass(0);
    assert.equal(cluster.requests.length, most, JSON.stringify(fields));
    await sink.close();
  }
});

Deno.test("KafkaSink asks the cluster about everything every metadata_max_age_ms", async () => {
  const { clock, cluster, sink } = setup({ metadata_max_age_ms: 2_000 });
  await clock.pass(1_999);
  assert.equal(cluster.refreshed, 0);
  await clock.pass(4_001);
  assert.equal(cluster.refreshed, 3);
  await sink.close();
});

Deno.test("KafkaSink makes tombstones only if tombstone_on_null says so", async () => {
  for (const [fields, length] of [[{}, 4], [{ tombstone_on_null: true }, -1]] as const) {
    const { clock, cluster, sink } = setup(fields);
    sink.deliver(recordPage("t", [{ key: "21", value: "null" }]), 1);
    await clock.pass(0);
    const { batch } = cluster.requests[0]!.topics[0]!.partitions[0]!;
    const [record] = readBatch(batch).records;
    assert.equal(record!.value?.length ?? -1, length);
    await sink.close();
  }
});

Deno.test("KafkaSink.close() leaves no page without an answer, and no timer", async () => {
  const { clock, cluster, sink } = setup({ linger_ms: 1_000, batch_size: 10 });
  const waiting = watched(sink.deliver(page("21"), 1));
  await sink.close();
  await clock.pass(0);
  assert.equal(codeOf(waiting.answer?.fault), "SINK_CLOSED");
  const late = watched(sink.deliver(page("21"), 1));
  await clock.pass(600_000);
  assert.equal(codeOf(late.answer?.fault), "SINK_CLOSED");
  assert.equal(cluster.requests.length, 0);
  assert.equal(clock.appointments, 0);
});

Deno.test("KafkaSink.reconfigure() refuses more than other secrets", async () => {
  const { sink } = setup();
  await assert.rejects(
    sink.reconfigure(kafkaConfig({ brokers: "b:1", batch_size: 7 })),
    /more than secrets and certificates differ/,
  );
  await sink.close();
});
