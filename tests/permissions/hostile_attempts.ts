/**
 * What hostile plugins try once they run.
 *
 * @module
 */

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

/** A way that a plugin tries. */
export interface Attempt {
  readonly imports?: string;
  /** The body of an async function that gives what it got, or nothing, or throws. */
  readonly body: string;
}

/** Ways that must all fail, by name. */
export function attempts(prey: Prey): Record<string, Attempt> {
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
