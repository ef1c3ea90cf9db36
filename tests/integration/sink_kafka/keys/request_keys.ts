/**
 * The keys that decide when requests are sent, what they hold and how long their answers are waited for.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readTopic } from "../../../support/consume.ts";
import type { LoggedRequest } from "../../../support/request_log.ts";
import { waitUntil } from "../../../support/wait.ts";
import { draftsOf, type Fields, type KeyProof, type Stand, type StandSink } from "./stand.ts";

/** See the module. */
export const REQUEST_KEYS: Readonly<Record<string, KeyProof>> = {
  async acks(stand) {
    const topic = await stand.topic(1);
    for (const [fields, acks] of [[{}, -1], [{ acks: "all" }, -1], [{ acks: "1" }, 1], [{ acks: "0" }, 0]]) {
      const clientId = await stand.deliver(fields as Fields, topic, draftsOf(1));
      const [request] = await stand.requests(clientId, "PRODUCE");
      assert.equal(request!.request.acks, acks);
    }
  },

  async linger_ms(stand) {
    // Two pages, one right after the other: a request each, or the second one waits for in the first's batch.
    for (const [fields, requests] of [[{}, 1], [{ linger_ms: 0 }, 2], [{ linger_ms: 200 }, 1]] as const) {
      const topic = await stand.topic(1);
      await using sink = await stand.open({ ...fields, brokers: stand.tapped });
      await sink.deliver(topic, draftsOf(1));
      await Promise.all([sink.deliver(topic, draftsOf(1)), sink.deliver(topic, draftsOf(1))]);
      assert.equal(stand.tap.produced(sink.clientId) - 1, requests, JSON.stringify(fields));
    }
  },

  async max_request_size(stand) {
    const topic = await stand.topic(4);
    const drafts = Array.from({ length: 60 }, (_, i) => ({ key: `k${i}`, value: "x".repeat(1_000) }));
    const clientId = await stand.deliver({ max_request_size: 10_000, batch_size: 1_000 }, topic, drafts);
    const sizes = (await stand.requests(clientId, "PRODUCE", 6)).map(bytesOf);
    assert.ok(Math.max(...sizes) <= 10_000 && Math.max(...sizes) > 5_000, sizes.join());
    const freely = await stand.deliver({ batch_size: 1_000 }, topic, drafts);
    const [whole, ...more] = await stand.requests(freely, "PRODUCE");
    assert.ok(bytesOf(whole!) > 60_000 && more.length === 0, "one request without the limit");
  },

  async max_in_flight(stand) {
    const cases: readonly (readonly [fields: Fields, partitions: number, inFlight: number])[] = [
      [{}, 12, 5],
      [{ max_in_flight: 3 }, 12, 3],
      [{ max_in_flight: 9 }, 12, 9],
      // Whatever it says, so that a retry changes no order.
      [{ max_in_flight: 9 }, 1, 1],
      [{ max_in_flight: 9, idempotent: true }, 1, 5],
      [{ max_in_flight: 1, idempotent: true }, 1, 1],
    ];
    for (const [fields, partitions, inFlight] of cases) {
      await using sink = await stand.open({ ...fields, ...ONE_BY_ONE, brokers: stand.tapped });
      assert.equal(await mostInFlight(stand, sink, partitions, inFlight), inFlight, JSON.stringify(fields));
    }
  },

  async request_timeout_ms(stand) {
    const topic = await stand.topic(1);
    const fields = { brokers: stand.tapped, idempotent: true, request_timeout_ms: 1_000 };
    await using sink = await stand.open(fields);
    await withHeldAnswers(stand, async () => {
      const again = waitUntil(() => stand.tap.produced(sink.clientId) >= 2, { what: "the request again" });
      await Promise.all([sink.deliver(topic, draftsOf(3)), again.then(() => stand.tap.holds = "nothing")]);
    });
    const requests = await stand.requests(sink.clientId, "PRODUCE", 2);
    assert.deepEqual(new Set(requests.map(({ request }) => request.timeoutMs)), new Set([1_000]));
    assert.ok(new Set(requests.map(({ connection }) => connection)).size >= 2, "each on its own connection");
    assert.equal((await readTopic(stand.kafka.brokers, topic)).length, 3);

    const patient = await stand.deliver({}, topic, draftsOf(1));
    const [request] = await stand.requests(patient, "PRODUCE");
    assert.equal(request!.request.timeoutMs, 30_000);
  },

  async delivery_timeout_ms(stand) {
    const topic = await stand.topic(1);
    const times = { linger_ms: 0, request_timeout_ms: 1_000, delivery_timeout_ms: 1_500 };
    await using sink = await stand.open({ brokers: stand.tapped, ...times });
    await withHeldAnswers(stand, async () => {
      const { fault } = await sink.offer(topic, draftsOf(3));
      assert.ok(fault?.kind === "unavailable", JSON.stringify(fault));
      assert.equal(fault.code, "DELIVERY_TIMEOUT");
    });
    assert.equal(stand.tap.produced(sink.clientId), 2, "sent again once, then not any more");
    assert.equal((await stand.requests(sink.clientId, "PRODUCE", 2)).length, 2);
  },
};

/** Each record is a batch and a request of its own. */
const ONE_BY_ONE = { batch_size: 1, linger_ms: 0 };

/** Let a sink send while no answer comes, until as many as expected are in flight. @returns how many ever were */
async function mostInFlight(
  stand: Stand,
  sink: StandSink,
  partitions: number,
  expected: number,
): Promise<number> {
  const topic = await stand.topic(partitions);
  // A broker that has acknowledged something knows the producer.
  await sink.deliver(topic, draftsOf(40));
  stand.tap.inFlightMax = 0;
  await withHeldAnswers(stand, async () => {
    const full = waitUntil(() => stand.tap.inFlight >= expected, { what: `${expected} requests in flight` });
    await Promise.all([sink.deliver(topic, draftsOf(40)), full.then(() => stand.tap.holds = "nothing")]);
  });
  return stand.tap.inFlightMax;
}

async function withHeldAnswers(stand: Stand, body: () => Promise<void>): Promise<void> {
  stand.tap.holds = "produce";
  try {
    await body();
  } finally {
    stand.tap.holds = "nothing";
  }
}

function bytesOf({ request }: LoggedRequest): number {
  return request.topicData!.flatMap(({ partitionData }) => partitionData)
    .reduce((sum, { recordsSizeInBytes }) => sum + recordsSizeInBytes, 0);
}
