import assert from "node:assert/strict";
import { type Machine, renderTable, type Report } from "../../bench/report.ts";
import { besideNeighbour, besideTarget, observed } from "../../bench/results.ts";

const MACHINE: Machine = {
  cpu: "Some CPU",
  cores: 2,
  memory_gb: 8,
  os: "linux 6.1 x86_64",
  load: 0.5,
  relay: "from source, Deno 2.9.6",
  postgres: { server_version: "18.4", fsync: "on" },
  kafka: { version: "4.4.0" },
};

const REPORT: Report = {
  machine: MACHINE,
  quick: true,
  results: [
    besideNeighbour(
      { name: "drain_100_of_native", unit: "msg/s", better: "more", note: "beside the native producer" },
      [100_000, 120_000],
      [130_000],
      0.8,
    ),
    besideTarget({ name: "idle_p50", unit: "ms", better: "less", note: "one at a time" }, [20], 5),
    observed({ name: "idle_queries", unit: "/s", better: "less", note: "all of them" }, [12.345]),
  ],
};

Deno.test("Report is one JSON object with the fields that programs rely on", () => {
  const parsed = JSON.parse(JSON.stringify(REPORT));
  assert.deepEqual(Object.keys(parsed), ["machine", "quick", "results"]);
  assert.deepEqual(parsed.machine.postgres, { server_version: "18.4", fsync: "on" });
  for (const result of parsed.results) {
    const { baseline, goal, name, ratio, unit, value } = result;
    assert.deepEqual([typeof name, typeof value, typeof unit], ["string", "number", "string"]);
    for (const each of [baseline, ratio, goal]) assert(each === null || typeof each === "number");
    assert.equal(ratio === null, baseline === null);
  }
  assert.equal(parsed.results[0].value, 110_000);
  assert.equal(parsed.results[1].ratio, 0.25);
});

Deno.test("renderTable() shows value, baseline, ratio, goal and verdict in columns", () => {
  const lines = renderTable(REPORT).trimEnd().split("\n");
  const rows = lines.slice(-3).map((line) => line.split(/ {2,}/));
  assert.deepEqual(rows, [
    [
      "drain_100_of_native",
      "110,000 msg/s",
      "130,000",
      "0.85",
      "≥ 0.80",
      "reached",
      "beside the native producer",
    ],
    ["idle_p50", "20 ms", "5", "0.25", "≥ 1.00", "failed", "one at a time"],
    ["idle_queries", "12.3 /s", "no goal", "all of them"],
  ]);
  const columns = lines.slice(-4).map((line) => line.search(/how|beside the|one at|all of/));
  assert.equal(new Set(columns).size, 1);
  assert(lines.some((line) => line.includes("fsync on")));
});
