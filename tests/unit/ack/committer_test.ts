import assert from "node:assert/strict";
import { Committer } from "../../../src/ack/committer.ts";
import { FencedError } from "../../../src/base/errors.ts";
import type { Position } from "../../../src/record/position.ts";
import { windowOf } from "../../support/pages.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const at = (lastId: number): Position => ({ window: windowOf(1, 0, 100), phase: "run", lastId });

Deno.test("Committer saves the newest position and never two at a time", async () => {
  const clock = new VirtualClock();
  const saved: number[] = [];
  let saving = 0;
  const store = {
    async save(position: Position) {
      assert.equal(++saving, 1);
      await clock.sleep(5);
      saved.push(position.lastId);
      saving--;
    },
  };
  const committer = new Committer(store, clock, () => assert.fail("no save fails"));
  for (const id of [1, 2, 3, 4]) committer.advance(at(id));
  await clock.run(committer.flush());
  assert.deepEqual(saved, [1, 4]);
  committer.advance(at(5));
  await clock.run(committer.flush());
  assert.deepEqual(saved, [1, 4, 5]);
});

Deno.test("Committer saves nothing after it was fenced", async () => {
  const clock = new VirtualClock();
  const failures: unknown[] = [];
  let calls = 0;
  const store = { save: () => (calls++, Promise.reject(new FencedError("epoch 4 holds the lease"))) };
  const committer = new Committer(store, clock, (error) => failures.push(error));
  committer.advance(at(1));
  committer.advance(at(2));
  await clock.run(committer.flush());
  committer.advance(at(3));
  await clock.run(committer.flush());
  assert.equal(calls, 1);
  assert.equal(failures.length, 1);
  assert.ok(failures[0] instanceof FencedError);
});
