import assert from "node:assert/strict";
import fc from "fast-check";
import { Frontier } from "../../../src/ack/frontier.ts";
import { InvariantError } from "../../../src/base/invariant.ts";
import { isBefore, type Position } from "../../../src/record/position.ts";
import { PageProgress, windowEnd } from "../../../src/record/progress.ts";
import { windowOf } from "../../support/pages.ts";

Deno.test("Frontier does not pass a page whose first message is not final", () => {
  const frontier = new Frontier();
  const first = new PageProgress(Float64Array.of(1, 2), windowOf(1, 0, 4), "run");
  const second = new PageProgress(Float64Array.of(3, 4), windowOf(1, 0, 4), "run");
  frontier.admit(first);
  frontier.admit(second);
  second.settle(0);
  second.settle(1);
  const reached: (number | undefined)[] = [];
  const advance = () => {
    assert.equal(frontier.advance(), reached.at(-1) !== frontier.position?.lastId);
    reached.push(frontier.position?.lastId);
  };
  advance();
  first.settle(0);
  advance();
  first.settle(1);
  advance();
  assert.deepEqual(reached, [undefined, 1, 4]);
  assert.equal(frontier.openPages, 0);
});

Deno.test("Frontier moves from stragglers to the run although ids fall", () => {
  const frontier = new Frontier();
  const window = windowOf(2, 100, 120);
  const stragglers = new PageProgress(Float64Array.of(90), window, "stragglers");
  const run = new PageProgress(Float64Array.of(101), window, "run");
  frontier.admit(stragglers);
  frontier.admit(run);
  stragglers.settle(0);
  run.settle(0);
  assert.equal(frontier.advance(), true);
  assert.deepEqual([frontier.position?.phase, frontier.position?.lastId], ["run", 101]);
});

Deno.test("Frontier passes the end of a window when everything before it is final", () => {
  const frontier = new Frontier();
  const window = windowOf(2, 100, 120);
  const stragglers = new PageProgress(Float64Array.of(90, 95), window, "stragglers");
  frontier.admit(stragglers);
  frontier.admit(windowEnd(window));
  stragglers.settle(1);
  assert.equal(frontier.advance(), false);
  stragglers.settle(0);
  assert.equal(frontier.advance(), true);
  assert.deepEqual(frontier.position, { window, phase: "run", lastId: 120 });
  assert.equal(frontier.openPages, 0);
  const next = new PageProgress(Float64Array.of(110), windowOf(3, 120, 130), "stragglers");
  frontier.admit(next);
  next.settle(0);
  assert.equal(frontier.advance(), true);
  assert.deepEqual([frontier.position?.window.number, frontier.position?.lastId], [3, 110]);
});

Deno.test("Frontier takes the end of a window that was reached already for no move", () => {
  const frontier = new Frontier();
  const window = windowOf(2, 100, 120);
  const page = new PageProgress(Float64Array.of(120), window, "run");
  frontier.admit(page);
  page.settle(0);
  assert.equal(frontier.advance(), true);
  frontier.admit(windowEnd(window));
  assert.equal(frontier.advance(), false);
});

Deno.test("Frontier stops on pages that were admitted out of order", () => {
  const frontier = new Frontier();
  for (const number of [2, 1]) {
    const page = new PageProgress(Float64Array.of(number), windowOf(number, 0, 9), "run");
    frontier.admit(page);
    page.settle(0);
  }
  assert.throws(() => frontier.advance(), InvariantError);
});

Deno.test("Frontier equals the naive prefix for any order of outcomes", () => {
  const shape = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 80 });
  fc.assert(fc.property(shape, fc.infiniteStream(fc.nat()), (sizes, choices) => {
    const frontier = new Frontier();
    const messages: { page: PageProgress; row: number; position: Position; final: boolean }[] = [];
    let id = 0;
    for (const [index, size] of sizes.entries()) {
      const ids = Float64Array.from({ length: size }, () => ++id);
      const page = new PageProgress(ids, windowOf(index, 0, 1_000), "run");
      frontier.admit(page);
      for (let row = 0; row < size; row++) {
        const position: Position = { window: page.window, phase: "run", lastId: ids[row]! };
        messages.push({ page, row, position, final: false });
      }
    }
    const open = [...messages];
    while (open.length > 0) {
      const [message] = open.splice(choices.next().value % open.length, 1);
      message!.final = true;
      message!.page.settle(message!.row);
      const before = frontier.position;
      const moved = frontier.advance();
      const gap = messages.findIndex((one) => !one.final);
      const expected = messages[(gap === -1 ? messages.length : gap) - 1]?.position;
      assert.equal(frontier.position?.lastId, expected?.lastId);
      assert.equal(moved, before?.lastId !== expected?.lastId);
      if (before !== null && moved) assert.ok(isBefore(before, frontier.position!));
    }
  }));
});
