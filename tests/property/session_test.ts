/**
 * Whole sessions over an outbox and a sink in memory, on a virtual clock, with faults at random and crashes in between.
 */

import assert from "node:assert/strict";
import { FencedError } from "../../src/base/errors.ts";
import { type DeadLetter } from "../../src/record/dead_letter.ts";
import type { Page } from "../../src/record/page.ts";
import type { Position } from "../../src/record/position.ts";
import type { Start } from "../../src/read/mod.ts";
import type { Routed } from "../../src/route/mod.ts";
import { Session } from "../../src/run/session.ts";
import type { Transformed } from "../../src/transform/mod.ts";
import { FakeOutbox } from "../support/fake_outbox.ts";
import { FakeSink, type SinkFaults } from "../support/fake_sink.ts";
import { markOf, recordsOf } from "../support/pages.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SEEDS = Deno.env.get("TIDE_TEST_TIER") === "full" ? 2_000 : 150;
const START: Start = { lower: markOf(3, 0) };

/** Drops every seventh message, rejects every eleventh. */
function transform(page: Page): Transformed {
  const rows = [...page.ids.keys()];
  const rejected = rows.filter((row) => page.ids[row]! % 11 === 0)
    .map((row) => ({ row, code: "TRANSFORM_FAILED", reason: "every eleventh" }));
  const kept = rows.filter((row) => page.ids[row]! % 11 !== 0 && page.ids[row]! % 7 !== 0);
  return { page: kept.length === 0 ? null : pickRows(page, kept), origin: Uint32Array.from(kept), rejected };
}

/** Rejects every thirteenth message. */
function route(page: Page): Routed {
  const rows = [...page.ids.keys()];
  const rejected = rows.filter((row) => page.ids[row]! % 13 === 0)
    .map((row) => ({ row, code: "TEMPLATE_VALUE_MISSING", reason: "every thirteenth" }));
  const kept = rows.filter((row) => page.ids[row]! % 13 !== 0);
  if (kept.length === 0) return { page: null, origin: Uint32Array.from(kept), rejected };
  const some = pickRows(page, kept);
  const { topics, topic, key, headers } = recordsOf(some);
  return { page: { ...some, topics, topic, key, headers }, origin: Uint32Array.from(kept), rejected };
}

function pickRows(page: Page, rows: readonly number[]): Page {
  const pick = (column: Page["payload"]) => ({
    bytes: column.bytes,
    ranges: Uint32Array.from(rows.flatMap((row) => [column.ranges[2 * row]!, column.ranges[2 * row + 1]!])),
  });
  return {
    count: rows.length,
    ids: Float64Array.from(rows, (row) => page.ids[row]!),
    createdMs: Float64Array.from(rows, (row) => page.createdMs[row]!),
    ops: Uint8Array.from(rows, (row) => page.ops[row]!),
    dedupKey: pick(page.dedupKey),
    payload: pick(page.payload),
    headers: pick(page.headers),
    previous: pick(page.previous),
  };
}

/** What the database keeps. */
class FakeDatabase {
  readonly letters = new Map<number, DeadLetter>();
  readonly sent: FakeSink["received"];
  position: Position | null = null;
  epoch = 1;

  constructor(sent: FakeSink["received"]) {
    this.sent = sent;
  }

  stores(clock: VirtualClock, epoch: number) {
    const fence = () => {
      if (epoch !== this.epoch) throw new FencedError(`epoch ${this.epoch} holds the lease`);
    };
    return {
      offsets: {
        save: async (position: Position) => {
          await clock.sleep(3);
          fence();
          this.position = position;
        },
      },
      deadLetters: {
        keep: async (letters: readonly DeadLetter[]) => {
          await clock.sleep(30 * clock.random());
          fence();
          for (const letter of letters) this.letters.set(letter.messageId, letter);
        },
      },
    };
  }
}

interface Published {
  readonly id: number;
  /** When its id was drawn, and when its transaction committed. */
  readonly drawn: number;
  readonly committed: number;
}

/** Several publishers with transactions of different lengths; some roll back. */
async function publish(outbox: FakeOutbox, clock: VirtualClock, transactions: number): Promise<Published[]> {
  const published: Published[] = [];
  const publisher = async () => {
    for (let i = 0; i < transactions; i++) {
      const xid = outbox.begin();
      const drawn: { id: number; drawn: number }[] = [];
      for (let n = Math.ceil(8 * clock.random()); n > 0; n--) {
        drawn.push({ id: outbox.publish(xid), drawn: clock.monotonic() });
        await clock.sleep(clock.random() < 0.1 ? 80 * clock.random() : clock.random());
      }
      if (clock.random() < 0.1) {
        outbox.rollback(xid);
        continue;
      }
      outbox.commit(xid);
      for (const one of drawn) published.push({ ...one, committed: clock.monotonic() });
    }
  };
  await Promise.all(Array.from({ length: 4 }, publisher));
  return published;
}

/** Publish, deliver with faults, crash now and then; returns everything that a checker wants to see. */
async function simulate(seed: number) {
  const clock = new VirtualClock(seed);
  const pick = (chance: number) => clock.random() < 0.5 ? 0 : chance;
  const faults: SinkFaults = {
    outage: pick(0.2),
    lostAnswer: pick(0.1),
    failure: pick(0.02),
    recovery: pick(0.5),
  };
  const outbox = new FakeOutbox(clock);
  const sink = new FakeSink(clock, faults, [17, 34, 35, 36]);
  const database = new FakeDatabase(sink.received);
  const crashes = clock.random() < 0.5 ? 2 : 0;

  const scenario = async () => {
    const publishing = publish(outbox, clock, 12);
    let session = begin();
    for (let crash = 0; crash < crashes; crash++) {
      await clock.sleep(40 + 60 * clock.random());
      database.epoch++;
      await session.abort();
      session = begin();
    }
    const published = await publishing;
    for (let waited = 0; waited < 4_000 && !complete(published, sink, database); waited++) {
      await clock.sleep(50);
    }
    const drained = await session.drain(60_000);
    return { published, drained };
  };
  const begin = () => {
    const epoch = database.epoch;
    const session = new Session({
      source: outbox,
      start: database.position === null ? START : { position: database.position },
      transform,
      route,
      format: null,
      // A sink that is opened again knows nothing of older generations.
      sink: freshGenerations(sink),
      ...database.stores(clock, epoch),
      clock,
      retry: { initialMs: 5, maxMs: 100, maxAttempts: 50 },
      pollIntervalMs: 100,
      onState: () => {},
    });
    session.start();
    session.ended.then((error) => {
      if (!(error instanceof FencedError) && !/aborted/.test(String(error))) throw error;
    });
    return session;
  };
  const result = await clock.run(scenario());
  return { ...result, sink, database, crashes, faults };
}

let generationBase = 0;

function freshGenerations(sink: FakeSink) {
  const base = generationBase += 1_000_000;
  return {
    pagesInFlight: sink.pagesInFlight,
    deliver: (...[page, generation, onProgress]: Parameters<FakeSink["deliver"]>) =>
      sink.deliver(page, base + generation, onProgress),
    recover: sink.recover.bind(sink),
  };
}

function complete(published: readonly Published[], sink: FakeSink, database: FakeDatabase): boolean {
  const delivered = new Set(sink.received.map(({ id }) => id));
  return published.every(({ id }) => delivered.has(id) || database.letters.has(id) || id % 7 === 0);
}

Deno.test("Session loses nothing, keeps the order of each key, and repeats only after a fault", async () => {
  let repeats = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    generationBase = 0;
    const { published, drained, sink, database, crashes, faults } = await simulate(seed);
    const label = `seed ${seed}`;
    // A sink in trouble is not waited for; a healthy one is.
    if (Object.values(faults).every((chance) => chance === 0)) assert.ok(drained, label);
    const delivered = new Set(sink.received.map(({ id }) => id));
    for (const { id } of published) {
      const dead = id % 11 === 0 || (id % 7 !== 0 && (id % 13 === 0 || [17, 34, 36].includes(id)));
      const filtered = id % 11 !== 0 && id % 7 === 0;
      assert.equal(database.letters.has(id), dead, `${label}: dead letter of ${id}`);
      assert.equal(delivered.has(id), !dead && !filtered, `${label}: delivery of ${id}`);
    }
    assert.equal(
      published.length,
      new Set([...delivered, ...database.letters.keys()]).size +
        published.filter(({ id }) => id % 7 === 0 && id % 11 !== 0).length,
      `${label}: nothing rolled back was sent`,
    );
    checkOrder(published, sink, label);
    const twice = sink.received.length - delivered.size;
    repeats += twice;
    if (crashes === 0 && faults.lostAnswer === 0) {
      assert.equal(twice, 0, `${label}: repeats without a reason`);
    }
  }
  assert.ok(repeats > 0, "faults must cause repeats somewhere, else they test nothing");
});

/** P4: a message that was published after another of its key had committed is delivered after it. */
function checkOrder(published: readonly Published[], sink: FakeSink, label: string): void {
  const facts = new Map(published.map((one) => [one.id, one]));
  const newestDrawn = new Map<string, Published>();
  const seen = new Set<number>();
  for (const { id, key } of sink.received) {
    if (seen.has(id)) continue;
    seen.add(id);
    const message = facts.get(id)!;
    const newest = newestDrawn.get(key);
    assert.ok(
      newest === undefined || message.committed >= newest.drawn,
      `${label}: ${id} of ${key} came after ${newest?.id}, which was published when ${id} had committed`,
    );
    if (newest === undefined || message.drawn > newest.drawn) newestDrawn.set(key, message);
  }
}
