import { strict as assert } from "node:assert";
import { LIMITS } from "../../src/base/limits.ts";
import { judge } from "../demo/verdict.ts";
import { readTopic, textOf } from "../support/consume.ts";
import { type SharedKafka, sharedKafka } from "../support/kafka.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { Deployment } from "./deployment.ts";
import { IN_DOUBT_MAX, OUTBOX, Publishers } from "./publishers.ts";

/** What the publishers may add in each round. */
const MESSAGES = 6_000;

const ROUNDS = Deno.env.get("TIDE_TEST_TIER") === "full" ? 50 : 10;

/** With a lease of a second the next relay goes on soon; the publishers do not wait for it. */
const FLAGS = ["--lease-ms", "1000"];

/** The most messages that the sink has and has not answered for: its requests in flight are of these pages. */
const IN_FLIGHT_MAX = LIMITS.pagesInFlight * LIMITS.pageRows;

interface Place {
  readonly deployment: Deployment;
  readonly kafka: SharedKafka;
  readonly topic: string;
  readonly publishers: Publishers;
}

/** What stood when the relay was dead. */
interface Kill {
  /** The end of each partition: what stands there and beyond was sent by the next relay. */
  readonly ends: readonly bigint[];
  /** Messages without a saved delivery. */
  readonly lag: number;
  /** When the last position but one was saved, in milliseconds since 1970; 0 when there was none. */
  readonly savedAtMs: number;
}

/** A record of the topic, with the id of its message. */
interface Arrived {
  readonly id: string;
  readonly partition: number;
  readonly offset: bigint;
  /** When the broker has written it. */
  readonly timestamp: number;
}

Deno.test(`kill -9 in ${ROUNDS} rounds, each with messages in flight: none lost, order kept, few repeated`, async () => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  const kafka = await sharedKafka();
  const topic = `kill-${crypto.randomUUID()}`;
  await kafka.createTopic(topic, 4, { "message.timestamp.type": "LogAppendTime" });
  await deployment.addPipeline(OUTBOX, {
    sink_type: "kafka",
    brokers: kafka.brokers,
    topic,
    compression: "zstd",
    acks: "all",
    idempotent: true,
    batch_size: 100,
  });
  await using publishers = await Publishers.start(deployment.connect(4));
  const place = { deployment, kafka, topic, publishers };
  const kills: Kill[] = [];
  for (let round = 0; round < ROUNDS; round++) kills.push(await killInFlight(place));
  // What may be repeated is bounded by what was saved: that something was, must be seen as well.
  const saved = publishers.committed.length - kills.at(-1)!.lag;
  assert.ok(saved > LIMITS.pageRows, `only ${saved} deliveries were saved in all rounds`);
  await publishers.stop();
  await drain(deployment);
  const arrived = await readAll(place);
  const verdict = judge(publishers.committed, arrived);
  assert.deepEqual(
    [verdict.lost, verdict.outOfOrder, verdict.unexpected],
    [0, 0, 0],
    JSON.stringify(verdict),
  );
  assert.ok(publishers.rolledBack > 0, "nothing was rolled back: the test does not test");
  checkRepeats(arrived, kills);
  assert.ok(verdict.duplicated >= 1, "nothing was repeated in any round: the test does not test");
  await kafka.deleteTopic(topic);
});

/** Start a relay and kill it when it has delivered a part of what lies there. */
async function killInFlight(place: Place): Promise<Kill> {
  const { deployment, publishers } = place;
  publishers.allow(MESSAGES);
  await waitUntil(() => publishers.committed.length > 0, { what: "messages" });
  const { lag_messages: backlog } = await deployment.pipeline(OUTBOX);
  const before = await countRecords(place);
  await using relay = await deployment.startRelay(FLAGS);
  const wanted = before + 1 + Math.floor(Math.random() * 0.7 * backlog);
  await waitUntil(async () => await countRecords(place) >= wanted, {
    what: "the broker to get records",
    timeoutMs: 120_000,
    intervalMs: 1,
  });
  const published = publishers.committed.length;
  await relay.kill();
  // What had been committed and not saved when the relay died, at least.
  const { lag_messages: lag } = await deployment.pipeline(OUTBOX);
  const unsaved = lag - (publishers.committed.length - published + IN_DOUBT_MAX);
  assert.ok(unsaved > 0, `nothing was in flight at the kill: of ${lag} messages all were published since`);
  const ends = (await place.kafka.offsets(place.topic)).map(({ high }) => high);
  return { ends, lag, savedAtMs: await lastSaveButOne(deployment) };
}

async function countRecords({ kafka, topic }: Place): Promise<number> {
  return (await kafka.offsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
}

async function lastSaveButOne({ sql }: Deployment): Promise<number> {
  const [row] = await sql<{ ms: number }[]>`
    SELECT floor(date_part('epoch', saved_at) * 1000)::float8 AS ms FROM tide.position_log
    WHERE pipeline = ${OUTBOX} ORDER BY n DESC OFFSET 1 LIMIT 1`;
  return row?.ms ?? 0;
}

/** Let a last relay deliver what is left, and end as an operator would end it. */
async function drain(deployment: Deployment): Promise<void> {
  await using relay = await deployment.startRelay(FLAGS);
  await deployment.reaches(OUTBOX, "idle", 120_000);
  assert.equal(await relay.stop(), 0);
}

async function readAll({ kafka, topic }: Place): Promise<readonly Arrived[]> {
  return (await readTopic(kafka.brokers, topic)).map((record) => {
    const { id } = JSON.parse(textOf(record).value!);
    return { id, partition: record.partition, offset: record.offset, timestamp: record.timestamp };
  });
}

/**
 * Each kill may repeat what was in flight: the pages that the sink had not answered for, of which the broker may have written any
 * part, and what was answered for and not saved. Every save takes the newest position, with a pause after it, so the last
 * one saved is not older than the save before it: what was not saved is no more than what the broker has written since then.
 */
function checkRepeats(arrived: readonly Arrived[], kills: readonly Kill[]): void {
  const repeated = kills.map(() => 0);
  const written = kills.map(() => 0);
  const seen = new Set<string>();
  for (const { id, partition, offset, timestamp } of arrived) {
    const next = kills.findIndex(({ ends }) => offset < ends[partition]!);
    if (next >= 0 && timestamp >= kills[next]!.savedAtMs) written[next]!++;
    if (seen.has(id)) {
      assert.notEqual(next, 0, `message ${id} was repeated before the first kill`);
      repeated[next < 0 ? kills.length - 1 : next - 1]!++;
    }
    seen.add(id);
  }
  for (const [i, count] of repeated.entries()) {
    const most = IN_FLIGHT_MAX + written[i]!;
    assert.ok(count <= most, `kill ${i + 1} repeated ${count} messages, expected at most ${most}`);
  }
}
