/**
 * What a session's two streams, published messages and dead letters that are sent again, are to each other.
 */

import assert from "node:assert/strict";
import { delivered } from "@pg-tide/sdk";
import { LIMITS } from "../../../src/base/limits.ts";
import type { Sink } from "../../../src/deliver/mod.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import type { Position } from "../../../src/record/position.ts";
import { Session, type SessionParts } from "../../../src/run/session.ts";
import { FakeLetters } from "../../support/fake_letters.ts";
import { FakeOutbox } from "../../support/fake_outbox.ts";
import { markOf, recordsOf } from "../../support/pages.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

/** Messages of dead letters have ids above this. */
const DEAD = 1_000_000;

function letterOf(messageId: number): DeadLetter {
  return {
    messageId,
    recordIndex: 0,
    stage: "route",
    failure: "rejected",
    code: "CODE",
    reason: "why",
    attempts: 1,
    createdMs: 0,
    op: "insert",
    dedupKey: null,
    payload: "{}",
    headers: null,
    previous: null,
    topic: null,
    recordKey: null,
    partition: null,
  };
}

/** A session over so many messages and letters, with a sink that takes 10 ms for each page, one after the other. */
async function setup(messages: number, letters: number, more: Partial<SessionParts> = {}) {
  const clock = new VirtualClock();
  const outbox = new FakeOutbox(clock);
  const xid = outbox.begin();
  for (let i = 0; i < messages; i++) outbox.publish(xid);
  outbox.commit(xid);
  const kept = new FakeLetters();
  const stores = kept.stores(() => clock.sleep(1));
  await clock.run(stores.deadLetters.keep(Array.from({ length: letters }, (_, i) => letterOf(DEAD + i))));
  const pages: { readonly isLetters: boolean; readonly count: number }[] = [];
  let line = Promise.resolve();
  const sink: Sink = {
    pagesInFlight: 4,
    deliver: async (page) => {
      line = line.then(() => clock.sleep(10));
      await line;
      pages.push({ isLetters: page.ids[0]! >= DEAD, count: page.count });
      return delivered(page.count);
    },
    recover: () => Promise.resolve(null),
  };
  const positions: Position[] = [];
  const states: string[] = [];
  const session = new Session({
    source: outbox,
    start: { lower: markOf(3, 0) },
    transform: (page) => ({ page, origin: null, rejected: [] }),
    route: (page) => ({ page: { ...page, ...recordsOf(page) }, origin: null, rejected: [] }),
    format: null,
    sink,
    offsets: { save: (position) => Promise.resolve(void positions.push(position)) },
    ...stores,
    clock,
    retry: { initialMs: 5, maxMs: 100, maxAttempts: 3 },
    deadLettersMax: 10_000,
    pollIntervalMs: 100,
    onState: ({ state }) => states.push(state),
    ...more,
  });
  session.start();
  return { clock, kept, pages, positions, session, states };
}

Deno.test("Session has published messages and dead letters take turns at a busy sink", async () => {
  const { clock, kept, pages, session } = await setup(15 * LIMITS.pageRows, 30 * LIMITS.retryRows);
  kept.request();
  session.resend();
  await clock.run(clock.sleep(200));
  const letters = pages.filter(({ isLetters }) => isLetters).length;
  assert.ok(pages.length >= 15, `the sink had ${pages.length} pages`);
  assert.ok(
    Math.abs(pages.length - 2 * letters) <= 4,
    `${letters} of ${pages.length} pages were letters: ${pages.map((page) => +page.isLetters).join("")}`,
  );
  await clock.run(session.abort());
});

Deno.test("Session that is idle sends dead letters again and saves no position for them", async () => {
  const { clock, kept, positions, session } = await setup(10, 2_500);
  await clock.run(clock.sleep(1_000));
  const before = positions.length;
  kept.request();
  session.resend();
  await clock.run(clock.sleep(5_000));
  assert.deepEqual([kept.letters.size, kept.finished, positions.length], [0, [1], before]);
  assert.equal(session.counts.delivered, 2_510);
  assert.ok(await clock.run(session.drain(10_000)));
});

Deno.test("Session that is drained finishes the dead letters in flight, and leaves the others", async () => {
  const { clock, kept, session } = await setup(0, 20_000);
  kept.request();
  session.resend();
  await clock.run(clock.sleep(35));
  assert.ok(await clock.run(session.drain(10_000)));
  assert.ok(kept.letters.size > 0 && kept.letters.size < 20_000, `${kept.letters.size} are left`);
  assert.equal(kept.letters.size % LIMITS.retryRows, 0, "whole pages are finished");
  assert.deepEqual([kept.finished, kept.waiting], [[], true]);
});

Deno.test("Session without room for another dead letter waits, sends others again, and goes on", async () => {
  const { clock, kept, positions, session, states } = await setup(10, 3, {
    deadLettersMax: 3,
    transform: (page) => {
      // Of the published messages, the fifth is rejected.
      const bad = page.ids.indexOf(5);
      if (bad < 0) return { page, origin: null, rejected: [] };
      return { page: null, origin: null, rejected: [{ row: bad, code: "CODE", reason: "why" }] };
    },
  });
  await clock.run(clock.sleep(60_000));
  assert.equal(states.at(-1), "blocked");
  assert.equal(positions.at(-1)?.lastId, 4, "nothing passes the message that has no letter");
  kept.request();
  session.resend();
  await clock.run(clock.sleep(2 * LIMITS.deadLettersFullMs));
  assert.equal(states.at(-1), "running");
  assert.deepEqual([...kept.letters.values()].map(({ letter }) => letter.messageId), [5]);
  assert.equal(positions.at(-1)?.lastId, 10);
  assert.ok(await clock.run(session.drain(10_000)));
});
