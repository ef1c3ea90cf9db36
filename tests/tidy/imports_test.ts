import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { circles, forbiddenImports, type ImportRules, reachable, unusedPackages } from "./imports.ts";
import { DOORS, ROOMS } from "./rooms.ts";
import { assertTidy, sourceTree } from "./source_tree.ts";
import { unexcused } from "./waivers.ts";

const RULES: ImportRules = { rooms: ROOMS, importMap: config.imports };

Deno.test("imports point downwards only, and packages stay in the rooms that own them", async () => {
  assertTidy(unexcused(forbiddenImports(await sourceTree(), RULES), DOORS));
});

Deno.test("no files import each other in a circle", async () => {
  assertTidy(circles(await sourceTree()));
});

Deno.test("every package of deno.json is imported", async () => {
  assertTidy(unusedPackages(await sourceTree(), RULES));
});

Deno.test("forbiddenImports() refuses what a room may not import", () => {
  const refused = (path: string, specifier: string) =>
    forbiddenImports([{ path, text: `import { x } from "${specifier}";` }], RULES).length === 1;
  const cases: readonly [path: string, forbidden: readonly string[], allowed: readonly string[]][] = [
    ["src/base/a.ts", ["../record/b.ts", "@pg-tide/sdk", "node:fs", "postgres"], ["./b.ts"]],
    ["src/read/a.ts", ["../ack/mod.ts", "../pg/b.ts", "../config/b.ts", "../run/mod.ts"], ["../base/b.ts"]],
    ["src/pg/a.ts", ["../host/mod.ts", "../read/reader.ts", "../run/session.ts", "commander"], [
      "../read/mod.ts",
      "../run/mod.ts",
      "postgres",
    ]],
    ["src/host/a.ts", ["../pg/b.ts", "../observe/log.ts", "../../plugins/sdk/serve.ts", "node:fs"], [
      "acorn",
    ]],
    ["src/run/a.ts", ["../pg/b.ts", "../host/mod.ts", "../cli/b.ts"], ["../read/reader.ts"]],
    ["src/relay.ts", ["./cli/run.ts", "./host/grant.ts"], ["./host/mod.ts", "./pg/b.ts"]],
    ["src/cli/a.ts", ["../host/grant.ts", "../../tests/support/b.ts", "npm:commander"], ["commander"]],
    ["plugins/sink_kafka/a.ts", ["../../src/base/b.ts", "../sink_stdout/b.ts", "../sdk/mod.ts", "postgres"], [
      "@pg-tide/sdk",
      "./cluster/b.ts",
    ]],
    ["plugins/sink_kafka/cluster/a.ts", ["../produce/b.ts", "../sink.ts", "node:zlib"], [
      "@platformatic/kafka",
      "../config/b.ts",
    ]],
    ["plugins/registry.ts", ["../src/base/b.ts", "@platformatic/kafka", "./sink_kafka/worker.ts"], [
      "./sdk/mod.ts",
      "./sink_kafka/manifest.ts",
    ]],
    ["tests/unit/a_test.ts", ["left-pad"], ["kafkajs", "node:fs", "../../src/pg/b.ts"]],
    ["scripts/a.ts", ["./b.ts"], []],
  ];
  for (const [path, forbidden, allowed] of cases) {
    assert.deepEqual(forbidden.filter((specifier) => !refused(path, specifier)), [], path);
    assert.deepEqual(allowed.filter((specifier) => refused(path, specifier)), [], path);
  }
});

Deno.test("forbiddenImports() lets the registry name a Worker's module without loading it", () => {
  const check = (text: string) => forbiddenImports([{ path: "plugins/registry.ts", text }], RULES);
  assert.deepEqual(check(`import.meta.resolve("./sink_kafka/worker.ts")`), []);
  assert.equal(
    check(`import.meta.resolve("./sink_kafka/config.ts")`)[0]?.subject,
    "plugins/registry.ts → plugins/sink_kafka/config.ts",
  );
});

Deno.test("circles() finds the circle in a graph, and none in a tree", () => {
  const file = (name: string, ...imports: string[]) => ({
    path: `src/base/${name}.ts`,
    text: imports.map((one) => `import type { T } from "./${one}.ts";`).join("\n"),
  });
  assert.deepEqual(circles([file("a", "b", "c"), file("b", "c"), file("c")]), []);
  assert.deepEqual(circles([file("a", "b"), file("b", "c"), file("c", "b")]), [
    "src/base/b.ts → src/base/c.ts → src/base/b.ts",
  ]);
});

Deno.test("reachable() follows every kind of import", () => {
  const files = [
    { path: "main.ts", text: `import "./src/a.ts"; import sql from "./src/q.sql" with { type: "text" };` },
    { path: "src/a.ts", text: `export { x } from "@pg-tide/sdk"; const u = import.meta.resolve("./w.ts");` },
    { path: "src/w.ts", text: "" },
    { path: "src/dead.ts", text: `import "./a.ts";` },
  ];
  assert.deepEqual([...reachable(files, ["main.ts"])].toSorted(), [
    "main.ts",
    "plugins/sdk/mod.ts",
    "src/a.ts",
    "src/q.sql",
    "src/w.ts",
  ]);
});

Deno.test("unusedPackages() names a package that nothing imports", () => {
  const rules = { ...RULES, importMap: { postgres: "npm:postgres", "left-pad": "npm:left-pad" } };
  const files = [{ path: "src/pg/a.ts", text: `import postgres from "postgres";` }];
  assert.deepEqual(unusedPackages(files, rules), ["deno.json: nothing imports left-pad"]);
});
