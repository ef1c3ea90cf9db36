/**
 * A round of the whole relay: applications publish to PostgreSQL, a relay delivers to Kafka through faults, and is killed in the middle.
 *
 * @module
 */

import { OUTBOX, Publishers } from "../binary/publishers.ts";
import { isGood, judge } from "../demo/verdict.ts";
import { chanceOf } from "../support/chance.ts";
import { readTopic, textOf } from "../support/consume.ts";
import { FaultProxy } from "../support/fault_proxy.ts";
import type { FaultRunResult } from "../support/fault_run.ts";
import { mixOf, NO_FAULTS } from "../support/fault_schedule.ts";
import { FROM_SOURCE, RelayProcess } from "../support/relay_process.ts";
import { type TideDatabase, tideDatabase } from "../support/tide_database.ts";
import { waitUntil } from "../support/wait.ts";
import type { SoakServers } from "./servers.ts";

/** Messages that are published before the relay is killed, and after. */
const MESSAGES = 4_000;

/** How long anything may take. */
const WITHIN_MS = 180_000;

interface Stage {
  readonly database: TideDatabase;
  readonly proxy: FaultProxy;
  readonly publishers: Publishers;
}

/** Run and check. @throws Error that names the seed and shows what was done, when a promise is broken */
export async function runRelay(
  seed: number,
  { kafka, postgres }: SoakServers,
): Promise<FaultRunResult & { readonly records: number }> {
  const topic = `soak-${crypto.randomUUID()}`;
  await kafka.createTopic(topic, 4);
  const proxy = await FaultProxy.start({ brokers: kafka.brokers, seed, mix: { ...mixOf(seed), forbid: 0 } });
  try {
    await using database = await tideDatabase(postgres);
    await configure(database, proxy.brokers, topic);
    await using publishers = await Publishers.start(database.connect({ max: 4 }));
    await deliver({ database, proxy, publishers }, chanceOf(seed, 1));
    const arrived = (await readTopic(kafka.brokers, topic)).map((record) => ({
      id: JSON.parse(textOf(record).value!).id,
      partition: record.partition,
      offset: record.offset,
    }));
    const verdict = judge(publishers.committed, arrived);
    const [{ letters } = { letters: -1 }] = await database.sql<{ letters: number }[]>`
      SELECT count(*)::int AS letters FROM tide.dead_letter`;
    if (!isGood(verdict) || letters !== 0) {
      throw new Error(`${JSON.stringify(verdict)}, ${letters} dead letters`);
    }
    if (proxy.errors.length > 0) throw new AggregateError(proxy.errors);
    return {
      records: verdict.published,
      retries: proxy.retries,
      repeated: verdict.duplicated,
      exact: false,
      ended: 0,
      faults: proxy.trace.counts,
    };
  } catch (error) {
    throw new Error(`Seed ${seed}, the whole relay:\n${proxy.trace}`, { cause: error });
  } finally {
    await proxy[Symbol.asyncDispose]();
    await kafka.deleteTopic(topic);
  }
}

async function configure({ sql }: TideDatabase, brokers: string, topic: string): Promise<void> {
  const config = {
    sink_type: "kafka",
    brokers,
    topic,
    idempotent: true,
    compression: "zstd",
    batch_size: 50,
    request_timeout_ms: 500,
  };
  await sql`SELECT tide.outbox_create(${OUTBOX})`;
  await sql`SELECT tide.relay_set_outbox('soak', ${OUTBOX}, 'soak', ${sql.json(config)})`;
  await sql`SELECT tide.relay_enable('soak')`;
}

/** Publish and deliver, with a kill in between, and without any fault until everything is delivered. */
async function deliver({ database, proxy, publishers }: Stage, chance: () => number): Promise<void> {
  const start = () => RelayProcess.start(FROM_SOURCE, ["--postgres-url", database.url, "--lease-ms", "1000"]);
  const remaining = async () => {
    const [row] = await database.sql<{ lag: string }[]>`
      SELECT lag_messages AS lag FROM tide.consumer_group_status(${OUTBOX})`;
    return Number(row!.lag);
  };
  publishers.allow(MESSAGES);
  {
    await using relay = await start();
    const wanted = MESSAGES * chance();
    const far = async () => publishers.committed.length - await remaining() >= wanted * 0.7;
    await waitUntil(far, { what: "the first relay to deliver", timeoutMs: WITHIN_MS });
    await relay.kill();
  }
  publishers.allow(MESSAGES);
  await using relay = await start();
  await waitUntil(() => publishers.committed.length >= MESSAGES, { what: "messages", timeoutMs: WITHIN_MS });
  await publishers.stop();
  proxy.mix = NO_FAULTS;
  await waitUntil(async () => await remaining() === 0, { what: "the last message", timeoutMs: WITHIN_MS });
  await relay.stop();
}
