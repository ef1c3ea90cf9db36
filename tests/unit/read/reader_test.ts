import assert from "node:assert/strict";
import { type ReadEnd, Reader, type ReadPage } from "../../../src/read/reader.ts";
import { FakeOutbox } from "../../support/fake_outbox.ts";
import type { Position } from "../../../src/record/position.ts";
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
    if (page.page === null) continue;
    pages.push(page);
    seen += page.page.count;
  }
  return pages;
}

/** The next item, which must be the end of a window. */
async function takeEnd(reader: Reader, clock: VirtualClock): Promise<ReadEnd> {
  const end = await clock.run(reader.next());
  assert.ok(end !== undefined && end.page === null, "the end of a window");
  return end;
}

/** Whether nothing is handed out in a minute. */
async function isSilent(reader: Reader, clock: VirtualClock): Promise<boolean> {
  const silence = clock.sleep(60_000).then(() => true);
  return await clock.run(Promise.race([silence, reader.next().then(() => false)]));
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

Deno.test("Reader says that a window has ended when its last message is a straggler", async () => {
  const { clock, outbox, reader } = setup();
  const held = outbox.begin();
  outbox.publish(held);
  const quick = outbox.begin();
  outbox.publish(quick);
  outbox.commit(quick);
  reader.start();
  await take(reader, clock, 1);
  outbox.commit(held);
  const [late] = await take(reader, clock, 1);
  const end = await takeEnd(reader, clock);
  assert.equal(late!.phase, "stragglers");
  assert.equal(end.window, late!.window);
  assert.ok(await isSilent(reader, clock), "it is said once");
  await clock.run(reader.stop());
});

Deno.test("Reader says that a window has ended when ids after its last message were rolled back", async () => {
  const { clock, outbox, reader } = setup();
  const xid = outbox.begin();
  outbox.publish(xid);
  outbox.commit(xid);
  const gone = outbox.begin();
  outbox.publish(gone);
  outbox.rollback(gone);
  reader.start();
  const [page] = await take(reader, clock, 1);
  assert.equal((await takeEnd(reader, clock)).window, page!.window);
  await clock.run(reader.stop());
});

Deno.test("Reader says nothing at the end of a window whose last message has its last id", async () => {
  const { clock, outbox, reader } = setup();
  const xid = outbox.begin();
  outbox.publish(xid);
  outbox.commit(xid);
  reader.start();
  await take(reader, clock, 1);
  assert.ok(await isSilent(reader, clock));
  await clock.run(reader.stop());
});

Deno.test("Reader says at its start that the window of the saved position has ended", async () => {
  const { clock, outbox } = setup();
  const xid = outbox.begin();
  const ids = [outbox.publish(xid), outbox.publish(xid)];
  outbox.commit(xid);
  const upper = await clock.run(outbox.mark());
  const window = { number: 3, lower: EMPTY, upper };
  const readFrom = (position: Position) =>
    new Reader({ source: outbox, clock, start: { position }, pollIntervalMs: 1_000 });
  const behind = readFrom({ window, phase: "stragglers", lastId: ids[1]! });
  behind.start();
  assert.deepEqual(idsOf(await take(behind, clock, 2)), ids);
  await clock.run(behind.stop());

  const within = readFrom({ window: { ...window, lower: upper }, phase: "stragglers", lastId: ids[1]! });
  within.start();
  assert.equal((await takeEnd(within, clock)).window.number, 3);
  await clock.run(within.stop());

  const atEnd = readFrom({ window, phase: "run", lastId: ids[1]! });
  atEnd.start();
  assert.ok(await isSilent(atEnd, clock));
  await clock.run(atEnd.stop());
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
  assert.equal((await clock.run(next))?.page?.count, 1);
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
