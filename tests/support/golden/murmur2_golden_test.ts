import assert from "node:assert/strict";
import { generateGolden, readGolden } from "./murmur2_golden.ts";

Deno.test("murmur2.txt is what Kafka's own partitioner gives", async () => {
  const lines = (await generateGolden()).split("\n");
  const golden = (await readGolden()).split("\n");
  assert.equal(golden.length, lines.length);
  assert.deepEqual(golden.filter((line, i) => line !== lines[i]), []);
});
