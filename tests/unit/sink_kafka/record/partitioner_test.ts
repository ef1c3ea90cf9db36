import assert from "node:assert/strict";
import { PARTITIONERS, StickyPartition } from "../../../../plugins/sink_kafka/record/partitioner.ts";
import { parseGolden, readGolden } from "../../../support/golden/murmur2_golden.ts";

Deno.test("PARTITIONERS.murmur2 puts keys where the Java client does, also when the hash is negative", () => {
  const expected: Readonly<Record<string, readonly number[]>> = {
    "21": [0, 0, 0, 12],
    "foobar": [0, 0, 6, 14],
    "a-little-bit-long-string": [2, 2, 8, 0],
    "a-little-bit-longer-string": [2, 5, 11, 3],
    "": [0, 3, 9, 9],
    '{"id":1}': [0, 0, 0, 4],
  };
  for (const [key, partitions] of Object.entries(expected)) {
    const bytes = new TextEncoder().encode(key);
    assert.deepEqual(
      [3, 6, 12, 16].map((count) => PARTITIONERS.murmur2(bytes, 0, bytes.length, count)),
      partitions,
      key,
    );
  }
});

Deno.test("PARTITIONERS.murmur2 puts 10,000 keys where Kafka's own partitioner does", async () => {
  const keys = parseGolden(await readGolden());
  assert.equal(new Set(keys.map(({ key }) => key.toBase64())).size, 10_000);
  const counts = [1, 3, 12, 64, 1_000];
  for (const { key, partitions } of keys) {
    const ours = counts.map((count) => [count, PARTITIONERS.murmur2(key, 0, key.length, count)] as const);
    assert.deepEqual(new Map(ours), partitions, `key ${key.toBase64()}`);
  }
  for (const count of counts) {
    assert.equal(new Set(keys.map(({ partitions }) => partitions.get(count))).size, count);
  }
});

Deno.test("PARTITIONERS.consistent puts keys where librdkafka does, and takes an empty one for none", () => {
  // CRC-32 of "123456789" is 0xcbf43926; of "a" 0xe8b7be43.
  const expected: Readonly<Record<string, readonly number[]>> = {
    "123456789": [0xcbf4_3926 % 3, 0xcbf4_3926 % 7, 0xcbf4_3926 % 1_000],
    "a": [0xe8b7_be43 % 3, 0xe8b7_be43 % 7, 0xe8b7_be43 % 1_000],
    "": [-1, -1, -1],
  };
  for (const [key, partitions] of Object.entries(expected)) {
    const bytes = new TextEncoder().encode(`<${key}>`);
    const ours = [3, 7, 1_000].map((count) => PARTITIONERS.consistent(bytes, 1, bytes.length - 1, count));
    assert.deepEqual(ours, partitions, key);
  }
});

Deno.test("PARTITIONERS.random asks no key", () => {
  assert.equal(PARTITIONERS.random(new TextEncoder().encode("abc"), 0, 3, 12), -1);
});

/** Numbers in turn. */
function numbers(...values: number[]): () => number {
  let next = 0;
  return () => values[next++ % values.length]!;
}

Deno.test("StickyPartition stays for so many records, then goes to another one", () => {
  const sticky = new StickyPartition(numbers(0.5, 0.5, 0, 0.99), 3);
  const partitions = Array.from({ length: 12 }, () => sticky.next(4));
  assert.deepEqual(partitions, [2, 2, 2, 1, 1, 1, 0, 0, 0, 3, 3, 3]);
});

Deno.test("StickyPartition leaves a partition whose batch was closed, and no other", () => {
  const sticky = new StickyPartition(numbers(0, 0.9), 100);
  assert.equal(sticky.next(3), 0);
  sticky.closed(2);
  assert.equal(sticky.next(3), 0);
  sticky.closed(0);
  assert.equal(sticky.next(3), 2);
});

Deno.test("StickyPartition keeps within the partitions there are", () => {
  const sticky = new StickyPartition(() => 0.999_999, 2);
  assert.deepEqual([sticky.next(1), sticky.next(1), sticky.next(1)], [0, 0, 0]);
  assert.equal(sticky.next(9), 0, "it stays as long as it can");
  const shrinking = new StickyPartition(() => 0.999_999, 100);
  assert.equal(shrinking.next(9), 8);
  assert.equal(shrinking.next(2), 1);
});

Deno.test("StickyPartition chooses from the preferred partitions alone", () => {
  const sticky = new StickyPartition(numbers(0, 0.5, 0.99), 1);
  const preferred = [2, 5, 7];
  const drawn = Array.from({ length: 9 }, () => sticky.next(8, preferred));
  assert.deepEqual(new Set(drawn), new Set(preferred));
  assert.ok(drawn.every((partition, i) => partition !== drawn[i - 1]), drawn.join());
  assert.deepEqual([sticky.next(8, [4]), sticky.next(8, [4])], [4, 4]);
});

Deno.test("StickyPartition stays where it is as long as that is among the preferred ones", () => {
  const sticky = new StickyPartition(() => 0, 100);
  assert.equal(sticky.next(4), 0);
  assert.equal(sticky.next(4, [0, 3]), 0);
  assert.equal(sticky.next(4, [1, 3]), 1);
  assert.equal(sticky.next(4), 1, "all are alike again");
});
