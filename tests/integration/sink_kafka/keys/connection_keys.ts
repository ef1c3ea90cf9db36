/**
 * The keys that decide how brokers are found and connections kept.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FaultError } from "../../../../plugins/sdk/mod.ts";
import { openSink } from "../../../../plugins/sink_kafka/sink.ts";
import { addPartitions, administer } from "../../../support/kafka_admin.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";
import { freePort } from "../../../support/port.ts";
import { waitUntil } from "../../../support/wait.ts";
import { draftsOf, type KeyProof, type Stand, StandSink } from "./stand.ts";

/** See the module. */
export const CONNECTION_KEYS: Readonly<Record<string, KeyProof>> = {
  async brokers(stand) {
    const topic = await stand.topic(1);
    const dead = Array.from({ length: 3 }, () => `127.0.0.1:${freePort()}`);
    const clientId = await stand.deliver(
      {
        brokers: [...dead, stand.kafka.brokers].join(" , "),
      },
      topic,
      draftsOf(1),
    );
    const [request] = await stand.requests(clientId, "PRODUCE");
    assert.ok(request!.connection.startsWith(`${stand.kafka.brokers}-`), request!.connection);
  },

  async client_id(stand) {
    const topic = await stand.topic(1);
    const named = `orders-${crypto.randomUUID()}`;
    await stand.deliver({ client_id: named }, topic, draftsOf(1));
    for (const api of ["API_VERSIONS", "METADATA", "PRODUCE"]) await stand.requests(named, api);
    assert.equal(await stand.deliver({ client_id: null }, topic, draftsOf(1)), "pg-tide");
    const [request] = await stand.requests("pg-tide", "PRODUCE");
    assert.equal(request!.client.softwareName, "pg-tide");
  },

  async connect_timeout_ms(stand) {
    stand.tap.holds = "everything";
    try {
      await assert.rejects(
        stand.open({ brokers: stand.tapped, connect_timeout_ms: 500, request_timeout_ms: 600_000 }),
        (error) => {
          assert.ok(error instanceof FaultError && error.fault.kind === "unavailable");
          assert.match(error.fault.reason, /within 500 ms \(connect_timeout_ms\)/);
          return true;
        },
      );
    } finally {
      stand.tap.holds = "nothing";
    }
    await waitUntil(() => stand.tap.connections === 0, { what: "the connection to be given up" });
  },

  async connections_max_idle_ms(stand) {
    const topic = await stand.topic(1);
    await using kept = await stand.open({ brokers: stand.tapped });
    await kept.deliver(topic, draftsOf(1));
    await using idle = await stand.open({ brokers: stand.tapped, connections_max_idle_ms: 1_000 });
    await idle.deliver(topic, draftsOf(1));
    await waitUntil(() => stand.tap.connections === 1, { what: "the idle connection to be closed" });
    for (const sink of [kept, idle]) await sink.deliver(topic, draftsOf(1));
    const connections = async (clientId: string) => {
      const requests = await stand.requests(clientId, "PRODUCE", 2);
      return new Set(requests.map(({ connection }) => connection)).size;
    };
    assert.deepEqual([await connections(kept.clientId), await connections(idle.clientId)], [1, 2]);
    await deliverWhileIdling(stand, topic);
  },

  async metadata_max_age_ms(stand) {
    const topic = await stand.topic(1);
    await using seldom = await stand.open();
    await seldom.deliver(topic, draftsOf(10));
    await using often = await stand.open({ metadata_max_age_ms: 1_000 });
    await often.deliver(topic, draftsOf(10));
    await addPartitions(stand.kafka.brokers, topic, 4);
    await waitUntil(async () => {
      await often.deliver(topic, draftsOf(50));
      return (await filled(stand, topic)) === 4;
    }, { what: "records in the new partitions", intervalMs: 100 });
    const asked = async (clientId: string) => (await stand.requests(clientId, "METADATA", 2)).length;
    assert.equal(await asked(seldom.clientId), 2, "once for its brokers, once for the topic");
    assert.ok(await asked(often.clientId) > 2);
  },

  async allow_auto_create_topics(stand) {
    for (const [fields, creates] of [[{}, true], [{ allow_auto_create_topics: false }, false]] as const) {
      const topic = `key-made-${crypto.randomUUID()}`;
      await using sink = await stand.open(fields);
      const answer = sink.offer(topic, draftsOf(1));
      if (creates) assert.deepEqual([...(await answer).delivered], [0, 1]);
      const asked = (await stand.requests(sink.clientId, "METADATA", 3)).map(({ request }) => request);
      assert.deepEqual(
        new Set(asked.map(({ allowAutoTopicCreation }) => allowAutoTopicCreation)),
        new Set([creates]),
      );
      assert.ok(asked.some(({ topics }) => topics!.some(({ name }) => name === topic)));
      assert.equal((await topicsOf(stand)).includes(topic), creates);
    }
  },
};

const ROUNDS = 100;

/**
 * Deliver again and again just when the connection is about to be closed. A request on a connection that is closing would be lost and
 * sent again.
 */
async function deliverWhileIdling(stand: Stand, topic: string): Promise<void> {
  const clientId = `idle-${crypto.randomUUID()}`;
  const fields = { brokers: stand.tapped, client_id: clientId, linger_ms: 0 };
  // Shorter than a user may have it, so that it happens often.
  const sink = new StandSink(
    await openSink(kafkaConfig({ ...fields, connections_max_idle_ms: 4 })),
    clientId,
  );
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await new Promise((resolve) => setTimeout(resolve, round % 8));
      await sink.deliver(topic, draftsOf(1));
    }
  } finally {
    await sink[Symbol.asyncDispose]();
  }
  assert.equal(stand.tap.produced(clientId), ROUNDS, "each request was sent once");
  const requests = await stand.requests(clientId, "PRODUCE", ROUNDS);
  assert.ok(new Set(requests.map(({ connection }) => connection)).size > 1, "connections were closed");
}

/** How many partitions have records. */
async function filled(stand: Stand, topic: string): Promise<number> {
  return (await stand.kafka.offsets(topic)).filter(({ high }) => high > 0n).length;
}

function topicsOf(stand: Stand): Promise<readonly string[]> {
  return administer(stand.kafka.brokers, (admin) => admin.listTopics());
}
