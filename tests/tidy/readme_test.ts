import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { main } from "../../src/cli/main.ts";
import { CONFIGURE_THE_PIPELINE, PUBLISH_MESSAGES, SET_UP_THE_OUTBOX } from "../demo/complete_example.ts";
import { codeBlocks, withSections } from "../support/readme.ts";
import { readmeSections } from "../support/readme_sections.ts";
import {
  brokenLinks,
  staleSections,
  strayFences,
  tasksOf,
  unknownFunctions,
  unknownOptions,
  unrunBlocks,
} from "./readme.ts";
import { NOT_RUN, RUN_BY } from "./readme_blocks.ts";
import { assertTidy, type SourceFile, sourceTree } from "./source_tree.ts";

/** Options of the other programs that the README names. */
const FOREIGN_OPTIONS = [
  ...["--allow-net", "--allow-read"], // deno
  ...["--bootstrap-server", "--topic", "--from-beginning"], // kafka-console-consumer
  ...["--create", "--partitions", "--replication-factor"], // kafka-topics
  ...["--describe", "--unavailable-partitions"], // kafka-topics
  ...["--brokers"], // deno task demo
  ...["--minutes", "--seed"], // deno task soak
];

async function readme(): Promise<SourceFile> {
  const file = (await sourceTree()).find(({ path }) => path === "README.md");
  assert.ok(file !== undefined);
  return file;
}

/** What `pg-tide … --help` prints. */
async function helpOf(...command: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  assert.equal(await main([...command, "--help"], { out: write, err: write }), 0);
  return lines.join("\n");
}

const COMMANDS = [
  ["run"],
  ["install"],
  ["status"],
  ...["list", "show", "retry", "status", "cancel", "discard"].map((name) => ["dlq", name]),
  ...["list", "inspect", "test"].map((name) => ["plugin", name]),
];

Deno.test("every code block of the README is run by a test, or has a reason", async () => {
  const file = await readme();
  assertTidy(unrunBlocks(file, { runBy: RUN_BY, notRun: NOT_RUN }, await sourceTree()));
  assertTidy(strayFences(file));
});

Deno.test("the README and the demo show the same example", async () => {
  const blocks = codeBlocks((await readme()).text);
  const shown = ["set-up-the-outbox", "publish", "configure-the-pipeline"]
    .map((name) => blocks.find((block) => block.name === name)?.text.trimEnd());
  assert.deepEqual(shown, [SET_UP_THE_OUTBOX, PUBLISH_MESSAGES, CONFIGURE_THE_PIPELINE]);
});

Deno.test("the README's generated sections are what the declarations give", async () => {
  assertTidy(staleSections(await readme(), readmeSections()));
});

Deno.test("the README names every task, and no other", async () => {
  assertTidy(tasksOf(await readme(), Object.keys(config.tasks)));
});

Deno.test("the README names only functions, options and headings that exist", async () => {
  const file = await readme();
  const help = (await Promise.all([[], ...COMMANDS].map((command) => helpOf(...command)))).join("\n");
  const options = new Set([...help.matchAll(/--[a-z][a-z-]*/g)].map(([name]) => name));
  assertTidy(unknownFunctions(file, await sourceTree()));
  assertTidy(unknownOptions(file, new Set([...options, ...FOREIGN_OPTIONS])));
  assertTidy(brokenLinks(file));
});

Deno.test("the README names every command of the program, with its own options", async () => {
  const { text } = await readme();
  const names = async (...group: readonly string[]) => {
    const list = (await helpOf(...group)).split("Commands:\n")[1] ?? "";
    return [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => [...group, name!].join(" "));
  };
  const all = [...await names(), ...await names("dlq"), ...await names("plugin")]
    .filter((name) => !name.endsWith("help"));
  assert.deepEqual(new Set(all), new Set(["dlq", "plugin", ...COMMANDS.map((command) => command.join(" "))]));
  for (const command of COMMANDS) {
    const row = text.split("\n").find((line) =>
      line.startsWith("|") && line.includes(`\`pg-tide ${command.join(" ")}`)
    );
    assert.ok(row !== undefined, `no row for pg-tide ${command.join(" ")}`);
    for (const option of ["--dry-run", "--json", "--schema", "--print", "--set", "--wait"]) {
      const has = (await helpOf(...command)).includes(option);
      assert.equal(row.includes(`\`${option}\``), has, `${option} of pg-tide ${command.join(" ")}`);
    }
  }
});

const file = (text: string): SourceFile => ({ path: "README.md", text });

Deno.test("codeBlocks() finds blocks with and without names", () => {
  const blocks = codeBlocks("<!-- block: one -->\n\n```sql\nSELECT 1;\n```\n\ntext\n\n```\nplain\n```\n");
  assert.deepEqual(blocks, [
    { name: "one", language: "sql", text: "SELECT 1;\n", line: 3 },
    { name: null, language: "", text: "plain\n", line: 9 },
  ]);
});

Deno.test("withSections() writes sections, and refuses unknown and missing ones", () => {
  const before = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb";
  const after = "a\n<!-- generated: x -->\n\nnew $& |\n\n<!-- end -->\nb";
  assert.equal(withSections(before, { x: "new $& |" }), after);
  assert.equal(withSections(after, { x: "new $& |" }), after);
  assert.throws(() => withSections(before, {}), /nothing generates "x"/);
  assert.throws(() => withSections(before, { x: "", y: "" }), /has no section "y"/);
});

Deno.test("unrunBlocks() finds blocks, entries and tests that do not fit", () => {
  const block = (name: string) => `<!-- block: ${name} -->\n\n\`\`\`sh\n${name}\n\`\`\`\n\n`;
  const text = block("run") + block("reason") + block("new") + block("run") + "```sh\nx\n```\n";
  const tables = { runBy: { run: "tests/a_test.ts", gone: "tests/a_test.ts" }, notRun: { reason: "why" } };
  assert.deepEqual(unrunBlocks(file(text), tables, [{ path: "tests/a_test.ts", text: `sh("gone")` }]), [
    'README.md:15: no test is said to run the code block "new"',
    'README.md:21: there is another code block "run"',
    "README.md:25: the code block has no name",
    'README.md: has no code block "gone"',
    'tests/a_test.ts: does not run the code block "run"',
  ]);
});

Deno.test("strayFences() finds a fence that the pattern misses", () => {
  assert.deepEqual(strayFences(file("```sh\nx\n```\n")), []);
  assert.equal(strayFences(file("- item\n\n  ```sh\n  x\n  ```\n")).length, 1);
  assert.equal(strayFences(file("```sh title\nx\n```\n")).length, 1);
});

Deno.test("staleSections() finds a section that differs in one byte, and one that is missing", () => {
  const text = "<!-- generated: x -->\n\nnew\n\n<!-- end -->\n";
  assert.deepEqual(staleSections(file(text), { x: "new" }), []);
  assert.equal(staleSections(file(text), { x: "new!" }).length, 1);
  assert.equal(staleSections(file(text), { x: "new", y: "" }).length, 1);
});

Deno.test("the README's names are compared with what there is", () => {
  const text =
    "`deno task go`, `npx -y deno@2.9.6 task test`, tide.outbox_make(…) tide.outbox, --jsn [a](#b) [c](#d-e)\n## D: E\n";
  const migration = { path: "src/pg/migrations/1.sql", text: "CREATE TABLE tide.outbox (" };
  assert.deepEqual(tasksOf(file(text), ["test", "bench"]), [
    "README.md: there is no task go",
    "README.md: does not name the task bench",
  ]);
  assert.deepEqual(unknownFunctions(file(text), [migration]), ["README.md: there is no tide.outbox_make"]);
  assert.deepEqual(unknownOptions(file(text), new Set(["--json"])), ["README.md: there is no option --jsn"]);
  assert.deepEqual(brokenLinks(file(text)), ["README.md: there is no heading for #b"]);
});
