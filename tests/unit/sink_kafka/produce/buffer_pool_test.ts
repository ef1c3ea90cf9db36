import assert from "node:assert/strict";
import { BufferPool } from "../../../../plugins/sink_kafka/produce/buffer_pool.ts";

Deno.test("BufferPool hands out a buffer again, and never one that is in use", () => {
  const pool = new BufferPool();
  const [one, two] = [pool.take(), pool.take()];
  assert.notEqual(one, two);
  pool.give(one);
  assert.equal(pool.take(), one);
  assert.notEqual(pool.take(), one);
});

Deno.test("BufferPool keeps no huge buffer, and not too many", () => {
  const pool = new BufferPool();
  const huge = new Uint8Array(3 * 1024 * 1024);
  pool.give(huge);
  assert.notEqual(pool.take(), huge);
  const given = Array.from({ length: 20 }, () => new Uint8Array(1024 * 1024));
  for (const buffer of given) pool.give(buffer);
  const taken = new Set(given.map(() => pool.take()));
  assert.equal(given.filter((buffer) => taken.has(buffer)).length, 16);
});
