import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { FORMAT_CASES, PARTITION_CASES, SINK_CASES } from "../../plugins/sdk/conformance.ts";
import { runCommand } from "../support/command.ts";
import { sharedKafka } from "../support/kafka.ts";
import { kafkaConfig } from "../support/kafka_sink.ts";
import { testTopic } from "../support/test_topic.ts";

const SUITE = fileURLToPath(import.meta.resolve("./suite_process.ts"));

/** Run the suite over a plugin; gives what failed, and the lines that it printed. */
async function runSuite(kind: "sink" | "format", name: string, fields: object, topic = "t") {
  const args = ["run", "-A", "--no-check", SUITE, kind, name, JSON.stringify(fields), topic];
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args);
  assert.equal(code, 0, stderr);
  const results: Record<string, string> = JSON.parse(stderr.trim().split("\n").at(-1)!);
  // Every built-in sink has partitions.
  const cases = kind === "sink" ? { ...SINK_CASES, ...PARTITION_CASES } : FORMAT_CASES;
  assert.deepEqual(Object.keys(results), Object.keys(cases));
  const failed = Object.entries(results).filter(([, result]) => result !== "ok");
  return { failed, lines: new TextDecoder().decode(stdout).trimEnd().split("\n") };
}

Deno.test("sink stdout passes the conformance suite, and prints a line of JSON per record in order", async () => {
  const { failed, lines } = await runSuite("sink", "stdout", {});
  assert.deepEqual(failed, []);
  const records: { id: number; topic: string; value: { i: number } }[] = lines.map((line) =>
    JSON.parse(line)
  );
  assert.ok(records.every(({ topic }) => topic === "t"));
  const page = records.findIndex(({ id }, i) => id === 1 && records[i + 999]?.id === 1000);
  assert.ok(page >= 0, "the page of 1,000 records stands in order");
  assert.deepEqual(
    records.slice(page, page + 1000).map(({ value }) => value.i),
    Array.from({ length: 1000 }, (_, i) => i),
  );
});

for (const idempotent of [true, false]) {
  const mode = idempotent ? "idempotent" : "not idempotent";
  Deno.test(`sink kafka passes the conformance suite, ${mode}, and writes every record`, async () => {
    const kafka = await sharedKafka();
    await using topic = await testTopic(kafka, 3);
    const { fields } = kafkaConfig({ brokers: kafka.brokers, compression: "lz4", idempotent });
    assert.deepEqual((await runSuite("sink", "kafka", fields, topic.name)).failed, []);
    // One of each kind, a thousand, the odd ones, several pages at a time, ten twice; then those that name a partition.
    assert.equal(await topic.count(), 1 + 1 + 1_000 + 4 + 1 + 2 + 161 + 20 + 100 + 2);
  });
}

for (const envelope of ["none", "pg_tide"]) {
  Deno.test(`format json with envelope ${envelope} passes the conformance suite`, async () => {
    assert.deepEqual((await runSuite("format", "json", { envelope })).failed, []);
  });
}
