/**
 * The demo from its servers to its figures.
 *
 * @module
 */

import { textOf, type TopicRecord } from "../support/consume.ts";
import type { DemoOptions } from "./arguments.ts";
import { CONFIGURE_THE_PIPELINE } from "./complete_example.ts";
import { type DemoDatabase, givenDatabase, ownDatabase } from "./database.ts";
import { type ExamplePlace, runExample } from "./example.ts";
import { Ledger, type LedgerEntry } from "./ledger.ts";
import { KEYS } from "./load.ts";
import { runBacklog, runCrash, runSteady } from "./phases.ts";
import { KEYS_TABLE, OUTBOX } from "./publisher.ts";
import { DemoRelay } from "./relay_process.ts";
import type { Figures } from "./report.ts";
import type { Screen } from "./screen.ts";
import { type Stage, untilRunning } from "./stage.ts";
import { type DemoTopics, givenTopics, ownTopics } from "./topics.ts";
import { type ArrivedRecord, judge, latencyOf, longestPause, ratePerSecond } from "./verdict.ts";

const PARTITIONS = 4;
const STEADY_MOST = 2_000;
const BACKLOG_MOST = 100_000;

/** Run the demo; all that it made is gone when this returns or throws. */
export async function runDemo(options: DemoOptions, screen: Screen, signal: AbortSignal): Promise<Figures> {
  const name = `pg_tide_demo_${crypto.randomUUID().slice(0, 8)}`;
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await openDatabase(options, name, screen));
  signal.throwIfAborted();
  const topics = stack.use(await openTopics(options, name, screen, signal));
  signal.throwIfAborted();
  const relay = stack.use(new DemoRelay(database.url));
  await screen.during("pg-tide install", () => relay.install(), (said) => `pg-tide install: ${said}`);
  const place: ExamplePlace = { database, topics, relay, screen, signal };
  await runExample(place);
  const figures = await runStretches(place, options.messages);
  await relay.stop();
  return figures;
}

function openDatabase(
  { postgresUrl }: DemoOptions,
  name: string,
  screen: Screen,
): Promise<DemoDatabase> {
  const open = () => postgresUrl === undefined ? ownDatabase() : givenDatabase(postgresUrl, name);
  const what = postgresUrl === undefined
    ? "Starting PostgreSQL; the first run downloads it from npm"
    : "Connecting to PostgreSQL";
  return screen.during(what, open, ({ description }) => `PostgreSQL: ${description}`);
}

function openTopics(
  { brokers }: DemoOptions,
  name: string,
  screen: Screen,
  signal: AbortSignal,
): Promise<DemoTopics> {
  const open = () => brokers === undefined ? ownTopics(signal) : givenTopics(brokers, `${name}.`);
  const what = brokers === undefined
    ? "Starting Apache Kafka; the first run downloads it by Maven"
    : "Connecting to Kafka";
  return screen.during(what, open, ({ description }) => `Kafka: ${description}`);
}

async function runStretches(place: ExamplePlace, messages: number): Promise<Figures> {
  const stage = await prepare(place);
  const [steady, crash, backlog] = [new Ledger(), new Ledger(), new Ledger()];
  await runSteady(stage, place.database, Math.min(STEADY_MOST, messages), steady);
  const { inFlight } = await runCrash(stage, place.database, messages, crash);
  await runBacklog(stage, place.database, Math.min(BACKLOG_MOST, messages), backlog);
  const records = await stage.screen.during(
    "Reading the topic back",
    () => stage.topics.read(stage.topic),
    (read) => `\nRead back by kafkajs: ${read.length} records`,
  );
  const arrived = Map.groupBy(records.map(arrivedRecord), ({ id }) => id.slice(0, id.indexOf("-")));
  const [ofSteady, ofCrash, ofBacklog] = ["steady", "load", "backlog"].map((one) => arrived.get(one) ?? []);
  return {
    crash: judge(crash.committed, ofCrash!),
    rolledBack: crash.rolledBack,
    inFlightAtKill: inFlight,
    outageMs: longestPause(ofCrash!.map(({ appendedAt }) => appendedAt)),
    steady: judge(steady.committed, ofSteady!),
    latency: latencyOf(latencies(steady.committed, ofSteady!)),
    backlog: judge(backlog.committed, ofBacklog!),
    perSecond: ratePerSecond(ofBacklog!.map(({ appendedAt }) => appendedAt)),
  };
}

/** A second outbox with the page's configuration, into a topic whose timestamps are the broker's. */
async function prepare({ database, topics, relay, screen, signal }: ExamplePlace): Promise<Stage> {
  const topic = await topics.create("pg_tide_demo_load", PARTITIONS, {
    "message.timestamp.type": "LogAppendTime",
  });
  const sql = database.connect(1);
  await sql.unsafe(KEYS_TABLE);
  await sql`INSERT INTO pg_tide_demo_key (key) SELECT jsonb_array_elements_text(${
    JSON.stringify(KEYS)
  }::text::jsonb)`;
  const config = /'(\{.*\})'::jsonb/s.exec(CONFIGURE_THE_PIPELINE)?.[1] ?? "";
  const ours = JSON.stringify({ ...JSON.parse(config), brokers: topics.brokers, topic });
  await sql`SELECT tide.outbox_create(${OUTBOX})`;
  await sql`SELECT tide.relay_set_outbox(${OUTBOX}, ${OUTBOX}, 'demo', ${ours}::text::jsonb)`;
  await sql`SELECT tide.relay_enable(${OUTBOX})`;
  const stage: Stage = { relay, topics, topic, pipeline: OUTBOX, screen, signal };
  await untilRunning(stage);
  return stage;
}

interface AppendedRecord extends ArrivedRecord {
  /** By the broker's clock. */
  readonly appendedAt: number;
}

/** @throws Error when it is not one that was published under the key that it says */
function arrivedRecord(record: TopicRecord): AppendedRecord {
  const { key, value, partition, offset, timestamp } = textOf(record);
  const { id, key: own }: { id?: unknown; key?: unknown } = JSON.parse(value ?? "{}");
  if (typeof id !== "string" || own !== key) {
    throw new Error(
      `Cannot use the record at partition ${partition}, offset ${offset}: key ${key}, value ${value}`,
    );
  }
  return { id, partition, offset, appendedAt: timestamp };
}

/** The broker's clock counts whole milliseconds: each record arrived before the end of the one that it bears. */
function latencies(committed: readonly LedgerEntry[], records: readonly AppendedRecord[]): number[] {
  const sent = new Map(committed.map(({ id, committedAt }) => [id, committedAt]));
  return records.flatMap(({ id, appendedAt }) => {
    const committedAt = sent.get(id);
    return committedAt === undefined ? [] : [appendedAt + 1 - committedAt];
  });
}
