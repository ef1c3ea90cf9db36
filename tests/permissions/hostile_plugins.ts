/**
 * Plugins that try to get out of their Worker, as data: the same list runs from source and through the compiled program.
 *
 * A plugin that may load at all tries its way at the top level of its module, without any permission, and tells in its
 * `summary` what came of it: `held: …` with the reason why it failed, or `breach: …` with what it got.
 *
 * @module
 */

import { attempts, type Prey } from "./hostile_attempts.ts";

/** What a hostile plugin tries, and how it must end. */
export interface HostilePlugin {
  /** The plugin's name, and what it tries. */
  readonly name: string;
  readonly source: string;
  /**
   * `refused`: the screen does not let it load, and the error matches. `held`: it loads, and its attempt fails. `noticed`: the
   * Worker ends, and the error matches.
   */
  readonly end: { readonly refused: RegExp } | "held" | { readonly noticed: RegExp };
}

/** All hostile plugins. */
export function hostilePlugins(prey: Prey): HostilePlugin[] {
  return [
    ...Object.entries(staticImports(prey)).map(([name, line]) => refusedPlugin(name, line, /line 1: .*only/)),
    ...Object.entries(dynamicImports(prey)).map(([name, line]) =>
      refusedPlugin(name, line, /line 1: import\(…\) is not allowed/)
    ),
    ...Object.entries(unparsable(prey)).map(([name, line]) =>
      refusedPlugin(name, line, /expected JavaScript/)
    ),
    ...Object.entries(attempts(prey)).map(([name, { imports, body }]) => heldPlugin(name, body, imports)),
    ...noticed(),
  ];
}

function staticImports({ script, json, text }: Prey): Record<string, string> {
  return {
    import_script: `import secret from ${JSON.stringify(script)};`,
    import_json: `import secret from ${JSON.stringify(json)} with { type: "json" };`,
    import_text: `import secret from ${JSON.stringify(text)} with { type: "text" };`,
    import_bytes: `import secret from ${JSON.stringify(text)} with { type: "bytes" };`,
    import_attributes_of_sdk:
      `import { delivered } from "@pg-tide/sdk" with { type: "text" }; import "node:fs";`,
    import_for_effect: `import ${JSON.stringify(script)};`,
    import_relative: `import secret from "./secret.js";`,
    import_npm: `import ms from "npm:ms@2.1.3";`,
    import_jsr: `import "jsr:@std/fs";`,
    import_https: `import "https://example.com/x.js";`,
    import_data: `import "data:text/javascript,globalThis.x=1";`,
    import_blob: `import "blob:null/1";`,
    import_fs: `import fs from "node:fs";`,
    import_fs_bare: `import fs from "fs";`,
    import_vm: `import vm from "node:vm";`,
    import_module: `import { createRequire } from "node:module";`,
    import_worker_threads: `import { Worker } from "node:worker_threads";`,
    import_child_process: `import { spawn } from "node:child_process";`,
    import_inspector: `import inspector from "node:inspector";`,
    import_process: `import process from "node:process";`,
    import_sqlite: `import { DatabaseSync } from "node:sqlite";`,
    import_sdk_insides: `import { serve } from "@pg-tide/sdk/serve.ts";`,
    export_all: `export * from ${JSON.stringify(script)};`,
    export_namespace: `export * as secret from ${JSON.stringify(script)};`,
    export_from: `export { default } from ${JSON.stringify(script)};`,
  };
}

function dynamicImports({ script, json }: Prey): Record<string, string> {
  const load = `import(${JSON.stringify(script)})`;
  return {
    dynamic_script: `const secret = await ${load};`,
    dynamic_json: `const secret = await import(${JSON.stringify(json)}, { with: { type: "json" } });`,
    dynamic_npm: `const ms = await import("npm:ms@2.1.3");`,
    dynamic_data: `await import("data:text/javascript,globalThis.x=1");`,
    dynamic_computed: `await import("node:" + "fs");`,
    dynamic_with_comment: `await import /* here */ (${JSON.stringify(script)});`,
    dynamic_in_template: "const text = `${await " + load + "}`;",
    // es-module-lexer 3.0.5 takes what follows the brace for a regular expression, and overlooks the import.
    dynamic_after_function: `const f = function () {} / ${load} / 1;`,
    dynamic_after_class: `const f = class {} / ${load} / 1;`,
  };
}

function unparsable({ script }: Prey): Record<string, string> {
  return {
    syntax_error: `const = 1;`,
    phase_defer: `import defer * as secret from ${JSON.stringify(script)};`,
    phase_source: `import source secret from ${JSON.stringify(script)};`,
    dynamic_phase: `const secret = await import.source(${JSON.stringify(script)});`,
    typescript: `const x: number = 1;`,
    commonjs_with: `with (globalThis) { Deno }`,
  };
}

/** Plugins that end, or are ended, when they start. */
function noticed(): HostilePlugin[] {
  const define = (members: string) =>
    `import { defineSink } from "@pg-tide/sdk"; defineSink({ ${members} });`;
  const rest = `open: () => { throw new Error("never"); }`;
  const cases: Record<string, readonly [source: string, error: RegExp]> = {
    throws: [`throw new RangeError("no luck today");`, /"throws" failed: RangeError: no luck today/],
    rejects: [
      `Promise.reject(new Error("lost")); await new Promise(() => {});`,
      /"rejects" failed: Error: lost/,
    ],
    throws_later: [
      `setTimeout(() => { throw new Error("late"); }); await new Promise(() => {});`,
      /"throws_later" failed: .*late/,
    ],
    exits: [`process.exit(3);`, /"exits" failed: The plugin called process\.exit\(3\)/],
    closes: [`self.close();`, /"closes" failed: TypeError/],
    missing_export: [`import { defineSnik } from "@pg-tide/sdk";`, /no defineSnik, did you mean defineSink/],
    speaks_nonsense: [
      `postMessage("hello");`,
      /"speaks_nonsense" broke the plugin contract: message is not an object/,
    ],
    speaks_too_early: [
      `postMessage({ t: "answer", n: 1 });`,
      /sent "answer" for request 1, which nobody waits for/,
    ],
    describes_nothing: [`postMessage({ t: "hello" });`, /description is not an object/],
    describes_other_contract: [
      `postMessage({ t: "hello", description: { contract: 99 } });`,
      /contract is 99: this relay speaks version 1/,
    ],
    describes_other_name: [
      define(`name: "kafka", summary: "", fields: [], permissions: {}, ${rest}`),
      /calls itself "kafka"/,
    ],
    describes_bad_fields: [
      define(
        `name: "describes_bad_fields", summary: "", fields: [{ name: "X y" }], permissions: {}, ${rest}`,
      ),
      /description\.fields\[0\]\.name is not/,
    ],
    describes_many_fields: [
      define(
        `name: "describes_many_fields", summary: "", permissions: {}, ${rest},
        fields: Array.from({ length: 1e6 }, (_, i) => ({ name: "f" + i, type: "string", doc: "" }))`,
      ),
      /description\.fields is not a list of at most/,
    ],
    describes_huge_default: [
      define(
        `name: "describes_huge_default", summary: "", permissions: {}, ${rest},
        fields: [{ name: "f", type: "string", doc: "", default: "x".repeat(1e7) }]`,
      ),
      /description\.fields\[0\]\.default is not JSON of at most/,
    ],
    describes_unknown_permission_field: [
      define(
        `name: "describes_unknown_permission_field", summary: "", fields: [], permissions: { net: ["{url}"] }, ${rest}`,
      ),
      /description\.permissions\.net is not made of its fields: url/,
    ],
    describes_assets: [
      define(
        `name: "describes_assets", summary: "", fields: [], permissions: { assets: ["x/../../etc/passwd"] }, ${rest}`,
      ),
      /an external plugin is one file/,
    ],
    greets_twice: [
      `const hello = { t: "hello", description: { contract: 99 } }; postMessage(hello); postMessage(hello);`,
      /broke the plugin contract/,
    ],
    listens: [
      `import net from "node:net"; net.createServer().listen(0, "127.0.0.1"); await new Promise(() => {});`,
      /"listens" failed: .*Requires net access/,
    ],
    floods_the_log: [
      `for (let i = 0; i < 2e5; i++) console.log(i); await new Promise(() => {});`,
      /"floods_the_log" logged more than/,
    ],
  };
  return Object.entries(cases).map(([name, [source, error]]) => ({ name, source, end: { noticed: error } }));
}

/** A plugin whose first line must not load. What it asks for is on line 1. */
function refusedPlugin(name: string, line: string, error: RegExp): HostilePlugin {
  return { name, source: `${line}\n${sinkThatSays(name, '"breach: loaded"')}`, end: { refused: error } };
}

function heldPlugin(name: string, body: string, imports = ""): HostilePlugin {
  const source = `${imports}
const tried = async () => { ${body} };
const got = await tried().then(
  (value) => value === undefined || value === null ? "held: it got nothing" : "breach: " + String(value),
  (error) => "held: " + error,
);
${sinkThatSays(name, "got")}`;
  return { name, source, end: "held" };
}

function sinkThatSays(name: string, summary: string): string {
  return `import { defineSink as define } from "@pg-tide/sdk";
define({ name: ${
    JSON.stringify(name)
  }, summary: String(${summary}), fields: [], permissions: {}, open() {} });
`;
}
