import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { relative } from "node:path";
import { WORKER_ENTRIES } from "../../plugins/registry.ts";
import { runCommand } from "../support/command.ts";
import { ROOT } from "../support/repository.ts";
import { deadExports, deadFiles, untoldExports, untoldModules } from "./docs.ts";
import { assertTidy, sourceTree } from "./source_tree.ts";

Deno.test("every module says what it is for", async () => {
  assertTidy(untoldModules(await sourceTree()));
});

Deno.test("every export says what it is", async () => {
  assertTidy(untoldExports(await sourceTree()));
});

Deno.test("every file of the product is needed by it", async () => {
  const workers = WORKER_ENTRIES.map((url) => relative(ROOT, fileURLToPath(url)).replaceAll("\\", "/"));
  assertTidy(deadFiles(await sourceTree(), ["main.ts", ...workers]));
});

Deno.test("every export of the product is used", async () => {
  assertTidy(deadExports(await sourceTree()));
});

/** What `deno doc --lint` says of a module, without colours. */
async function docLint(...paths: string[]) {
  const env = { NO_COLOR: "1" };
  const { code, stderr } = await runCommand(Deno.execPath(), ["doc", "--lint", ...paths], { cwd: ROOT, env });
  return { code, stderr };
}

Deno.test("deno doc --lint finds nothing in what plugin authors read", async () => {
  const { code, stderr } = await docLint("plugins/sdk/mod.ts", "plugins/sdk/conformance.ts");
  assert.equal(code, 0, stderr);
});

Deno.test("the examples in the product's comments run", async () => {
  const args = ["test", "--doc", "--frozen", "--no-check", "plugins", "src"];
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args, {
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const printed = new TextDecoder().decode(stdout);
  assert.equal(code, 0, printed + stderr);
  assert.match(printed, /\nok \| [1-9]\d* passed \| 0 failed/);
});

Deno.test("deno doc --lint would find a member without a comment", async () => {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, "/** Told. */\nexport interface Told {\n  readonly untold: string;\n}\n");
    const { code, stderr } = await docLint(path);
    assert.notEqual(code, 0);
    assert.match(stderr, /missing JSDoc/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("untoldModules() wants a sentence and @module on top", () => {
  const file = (text: string) => ({ path: "src/a.ts", text });
  const told = file("/**\n * Does it.\n *\n * At length.\n *\n * @module\n */\n\nimport x;\n");
  const untold = [
    "",
    "import x;\n/** @module */",
    "/**\n * @module\n */\n",
    "/** Does it. */\nexport const a = 1;\n",
  ];
  assert.deepEqual(untoldModules([told, { path: "tests/unit/a_test.ts", text: "" }]), []);
  assert.deepEqual(untold.filter((text) => untoldModules([file(text)]).length === 0), []);
});

Deno.test("untoldExports() wants a comment right before the export", () => {
  const text = "/** Told. */\n\nconst a = 1;\nexport function f() {}\n/** Told. */\nexport class C {}\n";
  assert.deepEqual(untoldExports([{ path: "plugins/x/a.ts", text }]), [
    "plugins/x/a.ts:4: f is exported without a /** comment */",
  ]);
});

Deno.test("deadFiles() names what no entry needs, also statements", () => {
  const files = [
    { path: "main.ts", text: `import "./src/a.ts";` },
    { path: "src/a.ts", text: `const q = readStatement("a"); const m = ["000001_x"];` },
    { path: "src/a.sql", text: "" },
    { path: "src/b.sql", text: "" },
    { path: "src/migrations/000001_x.sql", text: "" },
    { path: "src/c.ts", text: `import "./a.ts";` },
    { path: "tests/unit/c_test.ts", text: `import "../../src/c.ts";` },
  ];
  assert.deepEqual(deadFiles(files, ["main.ts"]), [
    "src/b.sql: nothing that runs needs it",
    "src/c.ts: nothing that runs needs it",
  ]);
});

Deno.test("deadExports() names what nobody takes and nothing near uses", () => {
  const files = [
    { path: "src/a.ts", text: "export const taken = 1, near = 2, dead = 3;\nf(near, 'a dead$ text');\n" },
    { path: "src/b.ts", text: "export function all() {}\n" },
    {
      path: "tests/a_test.ts",
      text: `import { taken } from "../src/a.ts"; import * as b from "../src/b.ts";`,
    },
  ];
  assert.deepEqual(deadExports(files), ["src/a.ts:1: nothing uses dead"]);
});
