import assert from "node:assert/strict";
import { badNames, idleTests, lostTests, silencedTools, unwantedTexts } from "./leftovers.ts";
import { assertTidy, sourceTree } from "./source_tree.ts";
import { unexcused } from "./waivers.ts";

Deno.test("no file holds a marker of unfinished work, a registry's name or a path of one machine", async () => {
  assertTidy(unwantedTexts(await sourceTree()));
});

Deno.test("every test runs", async () => {
  assertTidy(idleTests(await sourceTree()));
});

Deno.test("a tool is silenced for a reason only", async () => {
  assertTidy(silencedTools(await sourceTree()));
});

Deno.test("files have names that say what is in them", async () => {
  assertTidy(badNames(await sourceTree()));
});

Deno.test("unit tests stand where the files stand that they test", async () => {
  assertTidy(unexcused(lostTests(await sourceTree()), {
    "tests/unit/bench/measures_test.ts": "the measures of tests/bench, which have small files each",
    "tests/unit/config/generated_test.ts": "tables.ts and json_schema.ts over the same declarations",
  }));
});

const lines = (problems: readonly string[]) =>
  problems.map((problem) => Number(/:(\d+):/.exec(problem)?.[1]));

// Written in pieces, so that the rule does not find them here.
const MARKER = "TO" + "DO";

Deno.test("unwantedTexts() finds markers, registries and machines, and no words around them", () => {
  const text = `// ${MARKER}: later
https://registry.npmjs${".org"}/x
cd /wo${"rk"}/main
const ${MARKER}S = "net/wo${"rk"}/";
https://jsr${".io"} and repo1${".maven"}.org
/tmp/w${"/"}x is bad, /tmp/water is not
`;
  assert.deepEqual(lines(unwantedTexts([{ path: "README.md", text }])), [1, 2, 5, 5, 3, 6]);
});

Deno.test("idleTests() finds every way to leave a test out", () => {
  const text = `Deno.test.ignore("a", () => {});
Deno.test.only("a", () => {});
Deno.test({ name: "a", ignore: true, fn() {} });
Deno.test("a", { ignore: Deno.build.os === "linux" }, () => {});
await t.step({ name: "a", only: true, fn() {} });
reader.skip(24); const x = { ignore: true }; f({ only: 1 });
`;
  assert.deepEqual(lines(idleTests([{ path: "tests/unit/a_test.ts", text }])).toSorted(), [1, 2, 3, 4, 5]);
});

Deno.test("silencedTools() wants a reason", () => {
  const text = `// deno-${"lint"}-ignore no-explicit-any
// deno-lint-ignore no-console -- a command line program
// @ts-${"expect"}-error
const text = "@ts-ignore";
`;
  assert.deepEqual(lines(silencedTools([{ path: "src/a.ts", text }])), [1, 3]);
});

Deno.test("badNames() refuses drawers and other notations", () => {
  const bad = [
    "src/base/utils.ts",
    "src/common/a.ts",
    "src/base/myFile.ts",
    "src/pg/read-run.sql",
    "tests/x/helpers_test.ts",
  ];
  const good = ["src/base/exact_json.ts", "src/pg/migrations/000001_tables.sql", ".ci/run", "README.md"];
  const problems = badNames([...bad, ...good].map((path) => ({ path, text: "" })));
  assert.deepEqual(problems.map((problem) => problem.split(":")[0]), bad);
});

Deno.test("lostTests() finds a test of a file that has moved away", () => {
  const paths = ["src/ack/frontier.ts", "plugins/sdk/column.ts", "tests/demo/load.ts"];
  const tests = ["ack/frontier", "sdk/column", "demo/load", "ack/moved"].map((name) =>
    `tests/unit/${name}_test.ts`
  );
  const files = [...paths, ...tests].map((path) => ({ path, text: "" }));
  assert.deepEqual(lostTests(files).map(({ subject }) => subject), ["tests/unit/ack/moved_test.ts"]);
});
