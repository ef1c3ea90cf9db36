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
import { alongside, type Task, together } from "./together.ts";
import { formatted, progressOf, type Stage, Underway, untilDelivered } from "./stage.ts";

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
  const publishers = Array.from({ length: STEADY_CONNECTIONS }, (_, i): Task => async (signal) => {
    const publisher = new Publisher(database.connect(1), `steady-${i + 1}`, ledger, signal);
    while (next < messages) {
      const message = next++;
      await pause(Math.max(0, start + message * 1000 / STEADY_PER_SECOND - performance.now()), signal);
      await publisher.transact({ keys: [ACCOUNTS[message % ACCOUNTS.length]!], holdMs: 0, rollBack: false });
    }
  });
  const before = await stage.topics.count(stage.topic);
  await alongside(
    stage.signal,
    (signal) => together(signal, publishers),
    (publishing) => untilDelivered(stage, new Underway(before, () => ledger.committed.length, publishing)),
  );
}

/** What the crash hit. */
export interface Crash {
  /** Messages that were committed when the relay was killed, and not at the broker when it was gone. */
  readonly inFlight: number;
}

/** Publish from several connections, and kill the relay when a third has arrived. */
export async function runCrash(
  stage: Stage,
  database: DemoDatabase,
  messages: number,
  ledger: Ledger,
): Promise<Crash> {
  const { screen, topics, topic, signal } = stage;
  screen.line(
    `\nWith a crash: ${
      formatted(messages)
    } messages from 6 connections, some transactions long, some rolled back`,
  );
  const before = await topics.count(topic);
  return await alongside(
    signal,
    (either) => publishLoad(messages, (max) => database.connect(max), "load", ledger, either),
    (publishing) =>
      killAmidst(stage, messages, new Underway(before, () => ledger.committed.length, publishing)),
  );
}

async function killAmidst(stage: Stage, messages: number, underway: Underway): Promise<Crash> {
  const { screen, relay, topics, topic } = stage;
  await untilInFlight(stage, underway, messages);
  const published = await relay.kill(() => underway.published);
  const arrived = await topics.count(topic) - underway.before;
  screen.line(
    `  SIGKILL to the relay: ${formatted(published)} published, ${formatted(arrived)} at the broker`,
  );
  await relay.start();
  screen.line(
    `  A new relay runs; the pipeline is its own when the killed one's lease of ${LEASE_MS} ms is over`,
  );
  await untilDelivered(stage, underway);
  return { inFlight: published - arrived };
}

/** Wait until a third has arrived, and so many more are on their way that a kill cannot miss all of them. */
async function untilInFlight(stage: Stage, underway: Underway, messages: number): Promise<void> {
  const many = Math.min(20, messages / 200);
  while (await underway.isPublishing()) {
    const arrived = await stage.topics.count(stage.topic) - underway.before;
    const { published } = underway;
    stage.screen.progress(progressOf(published, arrived));
    if (arrived >= messages / 3 && published - arrived >= many) return;
    await pause(LOOK_FOR_KILL_MS, stage.signal);
  }
  throw new Error("Cannot kill the relay in the middle: it was never behind");
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
  await untilDelivered(stage, new Underway(before, () => ledger.committed.length, Promise.resolve()));
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
