import assert from "node:assert/strict";
import fc from "fast-check";
import { BoundedQueue } from "../../../src/base/bounded_queue.ts";

/** Lets everything run that is not waiting for something else. */
const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  await settle();
  return settled;
}

Deno.test("BoundedQueue makes the producer wait while it is full", async () => {
  const queue = new BoundedQueue<number>(2);
  assert.equal(await queue.push(1), true);
  assert.equal(await queue.push(2), true);
  const third = queue.push(3);
  assert.equal(await isSettled(third), false);
  assert.equal(await queue.take(), 1);
  assert.equal(await third, true);
  assert.deepEqual([await queue.take(), await queue.take()], [2, 3]);
});

Deno.test("BoundedQueue makes the consumer wait while it is empty", async () => {
  const queue = new BoundedQueue<number>(1);
  const taken = queue.take();
  assert.equal(await isSettled(taken), false);
  await queue.push(7);
  assert.equal(await taken, 7);
});

Deno.test("BoundedQueue.end() lets go of both sides and keeps what was pushed", async () => {
  const queue = new BoundedQueue<number>(1);
  await queue.push(1);
  const refused = queue.push(2);
  queue.end();
  assert.equal(await refused, false);
  assert.equal(await queue.push(3), false);
  assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], [1, undefined, undefined]);
  const empty = new BoundedQueue<number>(1);
  const waiting = empty.take();
  empty.end();
  assert.equal(await waiting, undefined);
});

Deno.test("BoundedQueue.fail() throws the first error behind the values before it", async () => {
  const queue = new BoundedQueue<number>(2);
  await queue.push(1);
  queue.fail(new Error("first"));
  queue.fail(new Error("second"));
  assert.equal(await queue.take(), 1);
  await assert.rejects(queue.take(), /first/);
  await assert.rejects(queue.take(), /first/);
});

Deno.test("BoundedQueue.abandon() drops what was not taken", async () => {
  const queue = new BoundedQueue<number>(2);
  await queue.push(1);
  queue.abandon();
  assert.equal(await queue.take(), undefined);
});

Deno.test("BoundedQueue hands on every value once, in order, never more than its capacity ahead", async () => {
  const pauses = fc.array(fc.boolean(), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), pauses, pauses, async (capacity, producer, consumer) => {
      const queue = new BoundedQueue<number>(capacity);
      let taken = 0;
      const produce = async () => {
        for (const [value, pause] of producer.entries()) {
          if (pause) await Promise.resolve();
          await queue.push(value);
          // One more may have been handed to a consumer that has not counted it yet.
          assert.ok(value + 1 - taken <= capacity + 1);
        }
        queue.end();
      };
      const consume = async () => {
        const values: number[] = [];
        for (let value = await queue.take(); value !== undefined; value = await queue.take()) {
          values.push(value);
          taken++;
          if (consumer[taken]) await Promise.resolve();
        }
        return values;
      };
      const [values] = await Promise.all([consume(), produce()]);
      assert.deepEqual(values, [...producer.keys()]);
    }),
  );
});
