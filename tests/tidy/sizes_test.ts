import assert from "node:assert/strict";
import { FILE_LINES_MAX, FUNCTION_LINES_MAX, oversized } from "./sizes.ts";
import { assertTidy, sourceTree } from "./source_tree.ts";
import { unexcused, type Waivers } from "./waivers.ts";

const WAIVERS: Waivers = {
  "tests/permissions/hostile_plugins.ts noticed":
    "a table: a plugin's source and the error that it must cause, per line",
};

Deno.test("no file and no function is too large", async () => {
  assertTidy(unexcused(oversized(await sourceTree()), WAIVERS));
});

Deno.test("oversized() names files and functions that are, and only those", () => {
  const body = "\n  f();".repeat(FUNCTION_LINES_MAX - 2);
  const text = `class A {
  #long() {${body}
  f();
  }
}
const short = () => {${body}
};
`;
  const findings = oversized([
    { path: "src/base/a.ts", text },
    { path: "src/pg/long.sql", text: "SELECT;\n".repeat(FILE_LINES_MAX + 1) },
    { path: "src/pg/short.sql", text: "SELECT;\n".repeat(FILE_LINES_MAX) },
    { path: "deno.lock", text: "{}\n".repeat(FILE_LINES_MAX + 1) },
  ]);
  assert.deepEqual(findings, [
    { subject: "src/pg/long.sql", problem: "src/pg/long.sql: has 401 lines, expected at most 400" },
    {
      subject: "src/base/a.ts A.#long",
      problem: "src/base/a.ts:2: A.#long has 61 lines, expected at most 60",
    },
  ]);
});

Deno.test("unexcused() takes a waiver for its subject, and refuses one that nothing needs", () => {
  const findings = [{ subject: "a.ts", problem: "a.ts: long" }, {
    subject: "b.ts f",
    problem: "b.ts:3: long",
  }];
  assert.deepEqual(unexcused(findings, { "b.ts f": "a table" }), ["a.ts: long"]);
  assert.deepEqual(unexcused(findings.slice(0, 1), { "a.ts": "a table", "c.ts": "gone" }), [
    "c.ts: has a waiver that it does not need",
  ]);
});
