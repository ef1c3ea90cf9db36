import assert from "node:assert/strict";
import { Reader, type ReadPage } from "../../../src/read/reader.ts";
import { FakeOutbox } from "../../support/fake_outbox.ts";
import { markOf } from "../../support/pages.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const EMPTY = markOf(3, 0);

function setup(limitRows = 100, pollIntervalMs = 1_000) {
  const clock = new VirtualClock();
  const outbox = new FakeOutbox(clock);
  const limit = { rows: limitRows, bytes: 1_000 };
  const reader = new Reader({ source: outbox, clock, start: { lower: EMPTY }, pollIntervalMs, limit });
  return { clock, outbox, reader };
}

async function take(reader: Reader, clock: VirtualClock, messages: number): Promise<ReadPage[]> {
  const pages: ReadPage[] = [];
  for (let seen = 0; seen < messages;) {
    const page = await clock.run(reader.next());
    assert.ok(page !== undefined);
    pages.push(page);
    seen += page.page.count;
  }
  return pages;
}

const idsOf = (pages: readonly ReadPage[]) => pages.flatMap(({ page }) => [...page.ids]);

Deno.test("Reader delays only the messages of an open transaction", async () => {
  const { clock, outbox, reader } = setup();
  const held = outbox.begin();
  const heldId = outbox.publish(held);
  const quick = outbox.begin();
  const quickId = outbox.publish(quick);
  outbox.commit(quick);
  reader.start();
  assert.deepEqual(idsOf(await take(reader, clock, 1)), [quickId]);
  outbox.commit(held);
  const [late] = await take(reader, clock, 1);
  assert.deepEqual([idsOf([late!]), late!.phase], [[heldId], "stragglers"]);
  await clock.run(reader.stop());
});

Deno.test("Reader reads a window in pages, and never a message twice", async () => {
  const { clock, outbox, reader } = setup(3);
  const xid = outbox.begin();
  const ids = Array.from({ length: 10 }, () => outbox.publish(xid));
  outbox.commit(xid);
  reader.start();
  const pages = await take(reader, clock, 10);
  assert.deepEqual(pages.map(({ page }) => page.count), [3, 3, 3, 1]);
  assert.deepEqual(idsOf(pages), ids);
  await clock.run(reader.stop());
});

Deno.test("Reader goes on behind a saved position, through stragglers and run", async () => {
  const { clock, outbox } = setup();
  const held = outbox.begin();
  const lateIds = [outbox.publish(held), outbox.publish(held)];
  const lower = await clock.run(outbox.mark());
  const next = outbox.begin();
  const runIds = [outbox.publish(next), outbox.publish(next)];
  outbox.commit(next);
  outbox.commit(held);
  const upper = await clock.run(outbox.mark());
  const window = { number: 7, lower, upper };
  const position = { window, phase: "stragglers", lastId: lateIds[0]! } as const;
  const reader = new Reader({ source: outbox, clock, start: { position }, pollIntervalMs: 1_000 });
  reader.start();
  const pages = await take(reader, clock, 3);
  assert.deepEqual(idsOf(pages), [lateIds[1], ...runIds]);
  assert.ok(pages.every((page) => page.window.number === 7));
  await clock.run(reader.stop());
});

Deno.test("Reader of an idle outbox polls at the interval, and is woken by a publisher", async () => {
  const { clock, outbox, reader } = setup(100, 60_000);
  reader.start();
  const next = reader.next();
  await clock.run(clock.sleep(600_000));
  const marks = outbox.marks;
  // Ten minutes at one poll a minute, plus the approach to it: two marks for each wait.
  assert.ok(marks < 60, `${marks} marks`);
  const xid = outbox.begin();
  outbox.publish(xid);
  const published = clock.monotonic();
  outbox.commit(xid);
  assert.equal((await clock.run(next))?.page.count, 1);
  assert.ok(clock.monotonic() - published < 10, `${clock.monotonic() - published} ms of virtual time`);
  await clock.run(reader.stop());
});

Deno.test("Reader next() throws when the database fails, after the pages read before", async () => {
  const { clock, outbox, reader } = setup(1);
  const xid = outbox.begin();
  outbox.publish(xid);
  outbox.publish(xid);
  outbox.commit(xid);
  const run = outbox.run.bind(outbox);
  outbox.run = (window, afterId, limit) =>
    afterId === 0 ? run(window, afterId, limit) : Promise.reject(new Error("connection closed"));
  reader.start();
  await take(reader, clock, 1);
  await assert.rejects(() => clock.run(reader.next()), /connection closed/);
});
