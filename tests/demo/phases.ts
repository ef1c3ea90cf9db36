/**
 * The three stretches of messages after the example: unhurried for the latency, with a crash for the guarantees, and a
 * backlog for the rate.
 *
 * @module
 */

import type { DemoDatabase } from "./database.ts";
import { pause } from "./interrupt.ts";
import { type Ledger, now } from "./ledger.ts";
import { ACCOUNTS, publishLoad } from "./load.ts";
import { OUTBOX, Publisher } from "./publisher.ts";
import { LEASE_MS } from "./relay_process.ts";
import { formatted, progressOf, type Stage, type Underway, untilDelivered } from "./stage.ts";

const STEADY_PER_SECOND = 400;
const STEADY_CONNECTIONS = 4;
const BACKLOG_CHUNK = 500;
const LOOK_FOR_KILL_MS = 20;

/** Publish at an even pace that leaves the relay time to wait: what a message's latency is when nothing is wrong. */
export async function runSteady(
  stage: Stage,
  database: DemoDatabase,
  messages: number,
  ledger: Ledger,
): Promise<void> {
  stage.screen.line(`\nUnhurried: ${formatted(messages)} messages, ${STEADY_PER_SECOND} a second`);
  const start = performance.now();
  let next = 0;
  const work = async (publisher: Publisher) => {
    while (next < messages) {
      const i = next++;
      await pause(Math.max(0, start + i * 1000 / STEADY_PER_SECOND - performance.now()), stage.signal);
      await publisher.transact({ keys: [ACCOUNTS[i % ACCOUNTS.length]!], holdMs: 0, rollBack: false });
    }
  };
  const before = await stage.topics.count(stage.topic);
  const publishers = Array.from(
    { length: STEADY_CONNECTIONS },
    (_, i) => work(new Publisher(database.connect(1), `steady-${i + 1}`, ledger, stage.signal)),
  );
  const publishing = Promise.all(publishers).then(() => {});
  await untilDelivered(stage, { before, published: () => ledger.committed.length }, publishing);
}

/** What the crash hit. */
export interface Crash {
  /** Messages that were committed and not at the broker when the relay was killed. */
  readonly inFlight: number;
}

/** Publish from several connections, and kill the relay when a third has arrived. */
export async function runCrash(
  stage: Stage,
  database: DemoDatabase,
  messages: number,
  ledger: Ledger,
): Promise<Crash> {
  const { screen, relay, topics, topic, signal } = stage;
  screen.line(
    `\nWith a crash: ${
      formatted(messages)
    } messages from 6 connections, some transactions long, some rolled back`,
  );
  const underway = { before: await topics.count(topic), published: () => ledger.committed.length };
  const publishing = publishLoad(messages, (max) => database.connect(max), "load", ledger, signal);
  // Whoever awaits it comes later, and may never come.
  publishing.catch(() => {});
  const { published, arrived } = await untilInFlight(stage, underway, messages / 3, publishing);
  await relay.kill();
  const inFlight = published - (await topics.count(topic) - underway.before);
  screen.line(
    `  SIGKILL to the relay: ${formatted(published)} published, ${formatted(arrived)} at the broker`,
  );
  await relay.start();
  screen.line(
    `  A new relay runs; the pipeline is its own when the killed one's lease of ${LEASE_MS} ms is over`,
  );
  await untilDelivered(stage, underway, publishing);
  return { inFlight };
}

/** Wait until enough has arrived and there is more that has not. */
async function untilInFlight(
  { topics, topic, screen, signal }: Stage,
  { before, published }: Underway,
  enough: number,
  publishing: Promise<void>,
): Promise<{ published: number; arrived: number }> {
  let isPublishing = true;
  publishing.finally(() => isPublishing = false).catch(() => {});
  while (true) {
    const arrived = await topics.count(topic) - before;
    const committed = published();
    screen.progress(progressOf(committed, arrived));
    if (arrived >= enough && committed > arrived) return { published: committed, arrived };
    if (!isPublishing) {
      await publishing;
      if (arrived >= committed) {
        throw new Error("Cannot kill the relay in the middle: all has arrived already");
      }
    }
    await pause(LOOK_FOR_KILL_MS, signal);
  }
}

/** Stop the relay, publish, and start it again: how fast it delivers when it is behind. */
export async function runBacklog(
  stage: Stage,
  database: DemoDatabase,
  messages: number,
  ledger: Ledger,
): Promise<void> {
  const { screen, relay, topics, topic, signal } = stage;
  screen.line(`\nA backlog: ${formatted(messages)} messages, published while no relay runs`);
  await relay.stop();
  screen.line("  SIGTERM to the relay: it finished what was in flight and ended with exit code 0");
  const before = await topics.count(topic);
  const sql = database.connect(1);
  for (let done = 0; done < messages; done += BACKLOG_CHUNK) {
    signal.throwIfAborted();
    const chunk = backlogMessages(done, Math.min(messages, done + BACKLOG_CHUNK));
    const committedAt = now();
    const json = JSON.stringify(chunk.map((payload) => ({ payload, dedup_key: payload.key })));
    await sql`SELECT tide.outbox_publish_many(${OUTBOX}, ${json}::text::jsonb)`;
    ledger.commit(chunk, committedAt);
  }
  await relay.start();
  const underway = { before, published: () => ledger.committed.length };
  await untilDelivered(stage, underway, Promise.resolve());
}

function backlogMessages(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => ({
    id: `backlog-${from + i}`,
    key: ACCOUNTS[(from + i) % ACCOUNTS.length]!,
    place: Math.floor((from + i) / ACCOUNTS.length) + 1,
    event_type: "order.updated",
    customer_id: "cust-789",
    total: 99.99,
    currency: "EUR",
    status: "confirmed",
    items: [{ sku: "WIDGET-A", qty: 2 }, { sku: "WIDGET-B", qty: 1 }],
  }));
}
