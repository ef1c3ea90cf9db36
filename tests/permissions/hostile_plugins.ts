/**
 * Plugins that try to get out of their Worker, as data: the same list runs from source and through the compiled program.
 *
 * A plugin that may load at all tries its way at the top level of its module, without any permission, and tells in its
 * `summary` what came of it: `held: …` with the reason why it failed, or `breach: …` with what it got.
 *
 * @module
 */

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

/** Where the secrets lie that the plugins are after, and a server that must not be reached. */
export interface Prey {
  /** URL of a JavaScript module whose default export is a secret. */
  readonly script: string;
  /** URL of a JSON file. */
  readonly json: string;
  /** URL of a text file. */
  readonly text: string;
  /** Path of the text file. */
  readonly path: string;
  /** `127.0.0.1` and a port at which a server listens. */
  readonly host: string;
  readonly port: number;
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

interface Attempt {
  readonly imports?: string;
  /** The body of an async function that gives what it got, or nothing, or throws. */
  readonly body: string;
}

function attempts(prey: Prey): Record<string, Attempt> {
  return {
    ...generatingCode(prey),
    ...reachingTheRuntime(prey),
    ...readingFiles(prey),
    ...reachingHosts(prey),
  };
}

function generatingCode({ script }: Prey): Record<string, Attempt> {
  // Code made of a text is a breach by itself. What it could then load differs: from source, Deno checks imports that it
  // could not see when the program started; in a compiled program it checks none.
  const text = JSON.stringify(
    `globalThis.got = "code"; import(${
      JSON.stringify(script)
    }).then((m) => globalThis.got = m.default, () => {});`,
  );
  const wait = "await new Promise((resolve) => setTimeout(resolve, 100)); return globalThis.got;";
  const calling = (made: string) => ({ body: `await ${made}(); ${wait}` });
  return {
    eval_direct: { body: `eval(${text}); ${wait}` },
    eval_indirect: { body: `(0, eval)(${text}); ${wait}` },
    function_global: calling(`new Function(${text})`),
    function_of_prototype: calling(`Object.getPrototypeOf(function () {}).constructor(${text})`),
    function_of_async: calling(`Object.getPrototypeOf(async function () {}).constructor(${text})`),
    function_of_generator: {
      body: `Object.getPrototypeOf(function* () {}).constructor(${text})().next(); ${wait}`,
    },
    function_of_async_generator: {
      body: `await Object.getPrototypeOf(async function* () {}).constructor(${text})().next(); ${wait}`,
    },
    function_of_class: calling(`(class {}).constructor(${text})`),
    function_of_bound: calling(`(() => {}).bind().constructor(${text})`),
    function_by_reflect: calling(`Reflect.construct((() => {}).constructor, [${text}])`),
    constructor_restored: {
      body: `delete Function.prototype.constructor; await (() => {}).constructor(${text})(); ${wait}`,
    },
    timer_text: { body: `setTimeout(${text}, 0); ${wait}` },
    interval_text: { body: `setInterval(${text}, 1); ${wait}` },
    immediate_text: { body: `setImmediate(${text}); ${wait}` },
    timer_text_of_node: {
      imports: `import timers from "node:timers";`,
      body: `timers.setTimeout(${text}, 0); ${wait}`,
    },
    walk: { imports: ALL_ALLOWED, body: WALK },
  };
}

function reachingTheRuntime({ script }: Prey): Record<string, Attempt> {
  const load = `import(${
    JSON.stringify(script)
  }).then((m) => postMessage(m.default), () => postMessage("code"))`;
  const inner = JSON.stringify(`data:text/javascript,${load}`);
  const nested = `const inner = new Worker(${inner}, { type: "module" });
    return await new Promise((resolve, reject) => { inner.onmessage = (e) => resolve(e.data); inner.onerror = reject; });`;
  return {
    nested_worker: { body: nested },
    nested_worker_of_scope: {
      body: `const scope = Object.getPrototypeOf(globalThis);
        const Worker = scope.Worker ?? scope.constructor.Worker ?? self.Worker; ${nested}`,
    },
    nested_worker_polluted: {
      body: `for (const key of ["read", "env", "net", "run"]) Object.prototype[key] = true; ${nested}`,
    },
    builtin_module: { body: `return process.getBuiltinModule("node:fs").readdirSync("/")[0];` },
    binding: { body: `return Object.keys(process.binding("fs"))[0];` },
    main_module: { body: `return process.mainModule.require("node:fs").readdirSync("/")[0];` },
    require_global: { body: `return require("node:fs").readdirSync("/")[0];` },
    deno_internal: { body: `return Object.keys(Deno[Deno.internal])[0];` },
    deno_core: { body: `return Object.keys(Deno.core.ops)[0];` },
    deno_bootstrap: { body: `return Object.keys(globalThis.__bootstrap)[0];` },
    deno_command: { body: `return (await new Deno.Command("id").output()).code;` },
    deno_dlopen: { body: `return Deno.dlopen("libc.so.6", {});` },
    deno_environment: { body: `return Deno.env.get("HOME");` },
    process_environment: { body: `return process.env.HOME ?? process.env.PATH;` },
    process_arguments: { body: `return process.argv[0] ?? Deno.args[0];` },
    stack_frames: {
      imports: `import { EventEmitter } from "node:events";`,
      body: `Error.prepareStackTrace = (_error, frames) => frames;
        const emitter = new EventEmitter();
        const frames = await new Promise((resolve) => {
          emitter.on("x", () => resolve(new Error().stack));
          emitter.emit("x");
        });
        for (const frame of frames) {
          const made = frame.getFunction?.() ?? frame.getThis?.();
          if (typeof made?.constructor === "function") made.constructor("1");
        }`,
    },
    broadcast: { body: `return new BroadcastChannel("pg-tide").name;` },
    import_scripts: { body: `return importScripts(${JSON.stringify(script)}) ?? "loaded";` },
    prompt: { body: `return prompt("password?") ?? "asked";` },
    caches: { body: `return String(await caches.open("x"));` },
    own_scope: { body: `return location.href;` },
  };
}

function readingFiles({ path, text }: Prey): Record<string, Attempt> {
  const file = JSON.stringify(path);
  const url = JSON.stringify(text);
  return {
    read_text_file: { body: `return await Deno.readTextFile(${file});` },
    read_etc_passwd: { body: `return Deno.readTextFileSync("/etc/passwd");` },
    fetch_file: { body: `return await (await fetch(${url})).text();` },
    request_file: { body: `return await (await fetch(new Request(${url}))).text();` },
    event_source_file: {
      body: `return await new Promise((resolve, reject) => {
        const source = new EventSource(${url}); source.onopen = () => resolve("open"); source.onerror = () => reject(new Error("refused"));
      }).finally(() => {});`,
    },
    wasm_streaming_file: { body: `return String(await WebAssembly.compileStreaming(fetch(${url})));` },
    load_env_file: { body: `process.loadEnvFile(${file}); return process.env.x;` },
    unix_socket: {
      imports: `import net from "node:net";`,
      body: `return await new Promise((resolve, reject) => {
        const socket = net.connect({ path: ${JSON.stringify(`${path}.sock`)} });
        socket.on("connect", () => resolve("connected")); socket.on("error", reject);
      });`,
    },
  };
}

function reachingHosts({ host, port }: Prey): Record<string, Attempt> {
  const address = `${host}:${port}`;
  const awaited = (made: string, event: string) =>
    `return await new Promise((resolve, reject) => {
      const made = ${made}; made.on("error", reject); made.on("${event}", () => resolve("${event}"));
    });`;
  return {
    net_fetch: { body: `return await (await fetch("http://${address}/")).text();` },
    net_websocket: {
      body: `return await new Promise((resolve, reject) => {
        const socket = new WebSocket("ws://${address}/");
        socket.onopen = () => resolve("open"); socket.onerror = (event) => reject(new Error(event.message));
      });`,
    },
    net_connect: {
      imports: `import net from "node:net";`,
      body: awaited(`net.connect(${port}, "${host}")`, "connect"),
    },
    net_http: {
      imports: `import http from "node:http";`,
      body: awaited(`http.get("http://${address}/")`, "response"),
    },
    net_https: {
      imports: `import https from "node:https";`,
      body: awaited(`https.get("https://${address}/", { rejectUnauthorized: false })`, "response"),
    },
    net_tls: {
      imports: `import tls from "node:tls";`,
      body: awaited(`tls.connect(${port}, "${host}")`, "connect"),
    },
    net_dns: {
      imports: `import dns from "node:dns/promises";`,
      body: `return (await dns.resolve("localhost"))[0];`,
    },
    net_dns_lookup: {
      imports: `import dns from "node:dns/promises";`,
      body: `return (await dns.lookup("localhost")).address;`,
    },
    net_deno: { body: `return (await Deno.connect({ hostname: "${host}", port: ${port} })).rid;` },
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

const ALL_ALLOWED = [
  ...["assert", "assert/strict", "buffer", "crypto", "dns", "dns/promises", "events", "http", "https", "net"],
  ...[
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "timers",
    "timers/promises",
  ],
  ...["tls", "url", "util", "util/types", "zlib"],
].map((name, i) => `import * as m${i} from "node:${name}";`).join(" ") +
  ` import * as sdk from "@pg-tide/sdk";`;

/** Looks at everything that can be reached from the globals and all modules, for anything that makes code of a text. */
const WALK = `
  const modules = [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, sdk];
  const seen = new Set();
  const open = [globalThis, ...modules];
  while (open.length > 0) {
    const value = open.pop();
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) continue;
    seen.add(value);
    if (ArrayBuffer.isView(value)) continue;
    for (const key of Reflect.ownKeys(value)) {
      const property = Reflect.getOwnPropertyDescriptor(value, key);
      open.push(property?.value, property?.get, property?.set);
      try {
        const got = value[key];
        if (got instanceof Promise) got.catch(() => {});
        open.push(got);
      } catch {}
    }
    open.push(Object.getPrototypeOf(value));
  }
  const NAMES = /^(Function|AsyncFunction|GeneratorFunction|AsyncGeneratorFunction|eval|Worker|Script|SourceTextModule|require|createRequire|getBuiltinModule|binding|dlopen|_load|compileFunction|run\\w*InContext|evalContext|internalBinding|_linkedBinding|loadExtScript)$/;
  const found = [];
  for (const value of seen) {
    if (typeof value !== "function" || !NAMES.test(value.name)) continue;
    try { const made = value("globalThis.got = 1"); if (typeof made === "function") made(); found.push(value.name); } catch (error) {
      if (!(error instanceof EvalError)) found.push(value.name + ": " + error);
    }
  }
  if (seen.size < 1000) found.push("saw only " + seen.size);
  return found.length > 0 || globalThis.got ? found.join(", ") + globalThis.got : undefined;
`;
