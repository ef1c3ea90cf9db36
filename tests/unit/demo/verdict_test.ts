import { strict as assert } from "node:assert";
import {
  type ArrivedRecord,
  isGood,
  judge,
  latencyOf,
  longestPause,
  type PublishedMessage,
  ratePerSecond,
} from "../../demo/verdict.ts";

/** Messages a1, a2, … of key a, in their order. */
function messages(...ids: readonly string[]): PublishedMessage[] {
  return ids.map((id) => ({ id, key: id.slice(0, 1), place: Number(id.slice(1)) }));
}

/** Records of a partition, in their order. */
function records(partition: number, ...ids: readonly string[]): ArrivedRecord[] {
  return ids.map((id, offset) => ({ id, partition, offset: BigInt(offset) }));
}

const GOOD = { published: 3, delivered: 3, lost: 0, duplicated: 0, outOfOrder: 0, unexpected: 0 };

Deno.test("judge() finds nothing wrong with what arrived once and in order", () => {
  const verdict = judge(messages("a1", "b1", "a2"), [...records(1, "a1", "a2"), ...records(0, "b1")]);
  assert.deepEqual(verdict, GOOD);
  assert.equal(isGood(verdict), true);
});

Deno.test("judge() goes by offsets, not by the order in which records were read", () => {
  assert.deepEqual(judge(messages("a1", "a2", "a3"), records(0, "a1", "a2", "a3").toReversed()), GOOD);
});

Deno.test("judge() counts lost messages", () => {
  const verdict = judge(messages("a1", "a2", "a3"), records(0, "a1", "a3"));
  assert.deepEqual(verdict, { ...GOOD, delivered: 2, lost: 1 });
  assert.equal(isGood(verdict), false);
});

Deno.test("judge() counts duplicates, which break nothing, and their order neither", () => {
  const verdict = judge(messages("a1", "a2", "a3"), records(0, "a1", "a2", "a1", "a2", "a3", "a1"));
  assert.deepEqual(verdict, { ...GOOD, duplicated: 3 });
  assert.equal(isGood(verdict), true);
});

Deno.test("judge() counts each message that comes after a later one of its key", () => {
  const verdict = judge(messages("a1", "a2", "a3"), records(0, "a3", "a1", "a2"));
  assert.deepEqual(verdict, { ...GOOD, outOfOrder: 2 });
  assert.equal(isGood(verdict), false);
  assert.equal(judge(messages("a1", "a2", "b1"), records(0, "a2", "b1", "a1", "a2")).outOfOrder, 1);
});

Deno.test("judge() finds a key without order when it stands in two partitions", () => {
  assert.equal(judge(messages("a1", "a2"), [...records(0, "a1"), ...records(1, "a2")]).outOfOrder, 1);
});

Deno.test("judge() counts records of messages that never committed", () => {
  const verdict = judge(messages("a1", "a2", "a3"), records(0, "a1", "x9", "a2", "a3", "x9"));
  assert.deepEqual(verdict, { ...GOOD, unexpected: 2 });
  assert.equal(isGood(verdict), false);
});

Deno.test("latencyOf() takes percentiles by nearest rank", () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  assert.deepEqual(latencyOf(values), { p50: 100, p99: 198 });
  assert.deepEqual(latencyOf([7.26]), { p50: 7.3, p99: 7.3 });
  assert.deepEqual(latencyOf([]), { p50: null, p99: null });
});

Deno.test("ratePerSecond() counts from the first append to the last", () => {
  assert.equal(ratePerSecond([1000, 1000, 1250, 1500, 1500, 1500]), 8);
  assert.equal(ratePerSecond([1000, 1000]), 2000);
  assert.equal(ratePerSecond([]), 0);
});

Deno.test("longestPause() finds the outage, in any order of the records", () => {
  assert.equal(longestPause([40, 10, 20, 2030, 2040]), 1990);
  assert.equal(longestPause([5]), 0);
});
