import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { builtinModules } from "node:module";
import { UserError } from "../../../src/base/errors.ts";
import { ALLOWED_NODE_MODULES, screenSource } from "../../../src/host/screen.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function textOf(source: string): string {
  const { module } = screenSource("x", bytes(source));
  return decodeURIComponent(module.slice(module.indexOf(",") + 1));
}

function problemsOf(source: string): string[] {
  try {
    screenSource("x", bytes(source));
  } catch (error) {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /^Cannot load plugin "x": /);
    return error.problems.map(({ message }) => message);
  }
  assert.fail("not refused");
}

Deno.test("screenSource() replaces only the SDK's specifiers, and keeps every line in its place", () => {
  const source = `import { defineSink } from "@pg-tide/sdk";
import * as all from '@pg-tide/sdk'; import tls from "node:tls";
export { delivered } from "@pg-tide/sdk";
const text = "import x from '@pg-tide/sdk'"; // import("@pg-tide/sdk")
const regexp = /import("x")/; const tag = \`import("y")\`;`;
  const lines = textOf(source).split("\n");
  assert.equal(lines.length, 5);
  assert.match(lines[0]!, /^import \{ defineSink \} from "data:text\/javascript[^"]*";$/);
  assert.match(lines[1]!, /^import \* as all from "data:[^"]*"; import tls from "node:tls";$/);
  assert.match(lines[2]!, /^export \{ delivered \} from "data:[^"]*";$/);
  assert.deepEqual(lines.slice(3), source.split("\n").slice(3));
});

Deno.test("screenSource() keeps text beyond ASCII and hashes what was read", () => {
  const source = `const text = "東京 🗼 %41 #";`;
  assert.equal(textOf(source), source);
  assert.equal(screenSource("x", bytes(source)).sha256, createHash("sha256").update(source).digest("hex"));
});

Deno.test("screenSource() names every line that it refuses", () => {
  const problems = problemsOf(`import fs from "node:fs";
import { delivered } from "@pg-tide/sdk";

const x = import("a"), y = () => { import("b"); };
export * from "./c.js";
import z from "node:net" with { type: "json" };
import { deliverd } from "@pg-tide/sdk";`);
  assert.equal(problems.length, 6);
  const lines = problems.map((message) => message.slice(0, message.indexOf(":"))).sort();
  assert.deepEqual(lines, ["line 1", "line 4", "line 4", "line 5", "line 6", "line 7"]);
  const all = problems.join("\n");
  assert.match(all, /"node:fs" may not be imported, only @pg-tide\/sdk and node:\{assert, /);
  assert.match(all, /@pg-tide\/sdk has no deliverd, did you mean delivered\?/);
  assert.match(all, /import attributes/);
});

Deno.test("screenSource() allows these node modules and no other", () => {
  for (const name of ALLOWED_NODE_MODULES) {
    assert.ok(textOf(`import "node:${name}";`).includes(`node:${name}`));
  }
  for (const name of builtinModules.filter((name) => !ALLOWED_NODE_MODULES.includes(name))) {
    const [problem] = problemsOf(`import "node:${name}";`);
    assert.match(problem!, /may not be imported/, name);
  }
});

Deno.test("screenSource() finds imports wherever they hide", () => {
  const hidden = [
    "let f = function () {} / import('x') / 1",
    "let f = class {} / import('x') / 1",
    "`${ {} / import('x') / 1 }`",
    "let a; a = {} / import('x') / 1",
    "class A { static x = import('x') }",
    "class A { [import('x')]() {} }",
    "const { a = import('x') } = {};",
    "for await (const x of import('x')) {}",
    "label: { import('x') }",
    "export default import('x')",
    "(a, b = import('x')) => 1",
    "new (import('x'))",
    "import('x', { with: { type: 'json' } })",
    "a?.[import('x')]",
    "f`${import('x')}`",
    "import/**/\n('x')",
  ];
  for (const source of hidden) assert.match(problemsOf(source)[0]!, /import\(…\) is not allowed/, source);
});

Deno.test("screenSource() refuses what it cannot read, with the line", () => {
  assert.match(problemsOf("\nconst = 1;")[0]!, /^line 2: Unexpected token .*expected JavaScript/);
  assert.match(problemsOf("const x: number = 1;")[0]!, /TypeScript must be compiled/);
  assert.match(problemsOf(`${"[".repeat(200_000)}`)[0]!, /expected JavaScript/);
  assert.throws(() => screenSource("x", Uint8Array.of(0xff, 0xfe)), /not UTF-8/);
});
