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
import { FakeLetters } from "../support/fake_letters.ts";
import { FakeOutbox } from "../support/fake_outbox.ts";
import { FakeSink, type SinkFaults } from "../support/fake_sink.ts";
import { markOf, recordsOf } from "../support/pages.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SEEDS = Deno.env.get("TIDE_TEST_TIER") === "full" ? 2_000 : 150;
const POISON = [17, 34, 36];
const START: Start = { lower: markOf(3, 0) };

/** Drops every seventh message, rejects every eleventh while `isBroken`. */
function transform(page: Page, isBroken: boolean): Transformed {
  const rows = [...page.ids.keys()];
  const isRejected = (row: number) => isBroken && page.ids[row]! % 11 === 0;
  const rejected = rows.filter(isRejected)
    .map((row) => ({ row, code: "TRANSFORM_FAILED", reason: "every eleventh" }));
  const kept = rows.filter((row) => !isRejected(row) && page.ids[row]! % 7 !== 0);
  return { page: kept.length === 0 ? null : pickRows(page, kept), origin: Uint32Array.from(kept), rejected };
}

/** Rejects every thirteenth message while `isBroken`. */
function route(page: Page, isBroken: boolean): Routed {
  const rows = [...page.ids.keys()];
  const isRejected = (row: number) => isBroken && page.ids[row]! % 13 === 0;
  const rejected = rows.filter(isRejected)
    .map((row) => ({ row, code: "TEMPLATE_VALUE_MISSING", reason: "every thirteenth" }));
  const kept = rows.filter((row) => !isRejected(row));
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
  readonly kept = new FakeLetters();
  /** Every message that was ever a dead letter. */
  readonly died = new Set<number>();
  position: Position | null = null;
  epoch = 1;

  stores(clock: VirtualClock, epoch: number) {
    const fence = () => {
      if (epoch !== this.epoch) throw new FencedError(`epoch ${this.epoch} holds the lease`);
    };
    const { deadLetters, retries } = this.kept.stores(async () => {
      await clock.sleep(30 * clock.random());
      fence();
    });
    return {
      offsets: {
        save: async (position: Position) => {
          await clock.sleep(3);
          fence();
          this.position = position;
        },
      },
      deadLetters: {
        ...deadLetters,
        keep: async (letters: readonly DeadLetter[]) => {
          await deadLetters.keep(letters);
          for (const { messageId } of letters) this.died.add(messageId);
        },
      },
      retries,
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

/** What a simulation happens in, made of a seed. */
function worldOf(seed: number) {
  const clock = new VirtualClock(seed);
  const pick = (chance: number) => clock.random() < 0.5 ? 0 : chance;
  const faults: SinkFaults = {
    outage: pick(0.2),
    lostAnswer: pick(0.1),
    failure: pick(0.02),
    recovery: pick(0.5),
  };
  return {
    clock,
    faults,
    outbox: new FakeOutbox(clock),
    sink: new FakeSink(clock, faults, POISON),
    database: new FakeDatabase(),
    crashes: clock.random() < 0.5 ? 2 : 0,
    /** Whether stages reject some messages. */
    isBroken: true,
  };
}

type World = ReturnType<typeof worldOf>;

/** Begin a session of the relay that holds the lease now, at what was saved. */
function begin(world: World): Session {
  const { clock, outbox, sink, database } = world;
  const session = new Session({
    source: outbox,
    start: database.position === null ? START : { position: database.position },
    transform: (page) => transform(page, world.isBroken),
    route: (page) => route(page, world.isBroken),
    format: null,
    // A sink that is opened again knows nothing of older generations.
    sink: freshGenerations(sink),
    ...database.stores(clock, database.epoch),
    clock,
    retry: { initialMs: 5, maxMs: 100, maxAttempts: 50 },
    deadLettersMax: 1_000,
    pollIntervalMs: 100,
    onState: () => {},
  });
  session.start();
  session.ended.then((error) => {
    if (!(error instanceof FencedError) && !/aborted/.test(String(error))) throw error;
  });
  return session;
}

/** Another relay takes over, at some time within `withinMs`. */
async function crash(world: World, session: Session, withinMs: number): Promise<Session> {
  await world.clock.sleep(withinMs * world.clock.random());
  world.database.epoch++;
  await session.abort();
  return begin(world);
}

/** Publish and deliver; what is refused stays, whenever somebody asks for it again. Returns what was published, and the last session. */
async function deliverAll(world: World) {
  const { clock, outbox, sink, database, crashes } = world;
  const publishing = publish(outbox, clock, 12);
  let session = begin(world);
  for (let n = 0; n < crashes; n++) {
    await clock.sleep(40);
    database.kept.request();
    session.resend();
    session = await crash(world, session, 60);
  }
  const published = await publishing;
  await until(clock, () => complete(published, sink, database));
  // The last position is saved a moment later.
  await clock.sleep(1_000);
  return { published, session };
}

/** Have everything that is left sent again, now that nothing is refused. Returns the last session. */
async function resendAll(world: World, session: Session): Promise<Session> {
  const { clock, database, crashes } = world;
  for (let n = 0; n < 1 + crashes; n++) {
    database.kept.request(clock.random() < 0.5 ? null : 200);
    session.resend();
    if (crashes > 0) session = await crash(world, session, 100);
  }
  await until(clock, () => {
    // A letter that fails once is refused again: it is asked for again. The relay is told for as long as anything is asked for.
    if (!database.kept.waiting && database.kept.letters.size > 0) database.kept.request();
    session.resend();
    return !database.kept.waiting && database.kept.letters.size === 0;
  });
  return session;
}

/**
 * Publish, deliver with faults, crash now and then, ask for dead letters to be sent again, in vain; then remove what makes
 * them, ask again, and crash in the middle of it. Returns everything that a checker wants to see.
 */
async function simulate(seed: number) {
  const world = worldOf(seed);
  const { clock, sink, database } = world;
  const scenario = async () => {
    const { published, session } = await deliverAll(world);
    const dead = new Set([...database.kept.letters.values()].map(({ letter }) => letter.messageId));
    world.isBroken = false;
    sink.cure();
    const before = database.position;
    const last = await resendAll(world, session);
    const moved = database.position !== before;
    return { published, dead, moved, drained: await last.drain(60_000) };
  };
  return { ...await clock.run(scenario()), ...world };
}

async function until(clock: VirtualClock, isSo: () => boolean): Promise<void> {
  for (let waited = 0; waited < 4_000 && !isSo(); waited++) await clock.sleep(50);
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
  return published.every(({ id }) =>
    delivered.has(id) || database.died.has(id) || (id % 7 === 0 && id % 11 !== 0)
  );
}

Deno.test("Session loses nothing, keeps the order of each key, and repeats only after a fault", async () => {
  let repeats = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    generationBase = 0;
    const { published, dead, drained, sink, database, crashes, faults } = await simulate(seed);
    const label = `seed ${seed}`;
    // A sink in trouble is not waited for; a healthy one is.
    if (Object.values(faults).every((chance) => chance === 0)) assert.ok(drained, label);
    const delivered = new Set(sink.received.map(({ id }) => id));
    for (const { id } of published) {
      const isPoison = id % 11 === 0 || (id % 7 !== 0 && (id % 13 === 0 || POISON.includes(id)));
      assert.equal(dead.has(id), isPoison, `${label}: dead letter of ${id}`);
      assert.equal(delivered.has(id), id % 7 !== 0, `${label}: delivery of ${id}`);
    }
    assert.equal(
      published.length,
      delivered.size + published.filter(({ id }) => id % 7 === 0).length,
      `${label}: nothing rolled back was sent`,
    );
    checkOrder(published.filter(({ id }) => !database.died.has(id)), sink, label);
    const twice = sink.received.length - delivered.size;
    repeats += twice;
    if (crashes === 0 && faults.lostAnswer === 0) {
      assert.equal(twice, 0, `${label}: repeats without a reason`);
    }
  }
  assert.ok(repeats > 0, "faults must cause repeats somewhere, else they test nothing");
});

Deno.test("P7: a dead letter that is sent again is gone only when the sink has acknowledged it, whatever crashes", async () => {
  const sum = { delivered: 0, filtered: 0, refused: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    generationBase = 0;
    const { dead, moved, database, sink, crashes } = await simulate(seed);
    const label = `seed ${seed}`;
    assert.deepEqual([...database.kept.letters.keys()], [], `${label}: a letter is left`);
    const gone = database.kept.settled.filter(({ outcome }) =>
      outcome === "delivered" || outcome === "filtered"
    );
    assert.deepEqual(
      gone.map(({ messageId }) => messageId).sort((a, b) => a - b),
      [...dead].sort((a, b) => a - b),
      `${label}: each is gone once`,
    );
    for (const { messageId, outcome } of gone) {
      assert.equal(outcome, messageId % 7 === 0 ? "filtered" : "delivered", `${label}: ${messageId}`);
      assert.equal(sink.acknowledged.has(messageId), outcome === "delivered", `${label}: ${messageId}`);
    }
    // A crash takes the position back to what was saved; nothing else may touch it while nothing is published.
    if (crashes === 0) assert.equal(moved, false, `${label}: the offset moved`);
    sum.delivered += gone.filter(({ outcome }) => outcome === "delivered").length;
    sum.filtered += gone.filter(({ outcome }) => outcome === "filtered").length;
    sum.refused += database.kept.settled.length - gone.length;
  }
  assert.ok(Object.values(sum).every((count) => count > SEEDS / 10), JSON.stringify(sum));
});

/** P4: a message that was published after another of its key had committed is delivered after it. */
function checkOrder(published: readonly Published[], sink: FakeSink, label: string): void {
  const facts = new Map(published.map((one) => [one.id, one]));
  const newestDrawn = new Map<string, Published>();
  const seen = new Set<number>();
  for (const { id, key } of sink.received) {
    const message = facts.get(id);
    if (seen.has(id) || message === undefined) continue;
    seen.add(id);
    const newest = newestDrawn.get(key);
    assert.ok(
      newest === undefined || message.committed >= newest.drawn,
      `${label}: ${id} of ${key} came after ${newest?.id}, which was published when ${id} had committed`,
    );
    if (newest === undefined || message.drawn > newest.drawn) newestDrawn.set(key, message);
  }
}
