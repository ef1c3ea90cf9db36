/**
 * The first module of an external plugin's Worker. It takes away what permissions do not guard, then loads the plugin.
 *
 * Loading a module is not checked against a Worker's permissions, so with code generation, a nested Worker or one of
 * several built-in functions a plugin without any permission could read JavaScript and JSON files of the machine. The
 * screen (`screen.ts`) refuses dynamic imports in the plugin's text; this module takes away the ways to make new text
 * into code, and everything of the runtime that is not needed. It fails closed: what cannot be taken away ends the Worker.
 *
 * Messages: the kernel sends `{t: "load", url}` once, before anything else. When the plugin cannot be loaded, or ends
 * itself, this module answers `{t: "failed", text}`.
 *
 * @module
 */

import * as sdk from "@pg-tide/sdk";
import { KEPT_GLOBALS } from "./lockdown_globals.ts";
import { SDK_GLOBAL } from "./sdk_shim.ts";

/** The parts of the Worker's global scope that are used before they are taken away. */
interface Scope {
  onmessage: ((event: MessageEvent<{ readonly t: string; readonly url: string }>) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

type AnyFunction = (...args: never[]) => unknown;

const scope = globalThis as unknown as Scope;
const post = scope.postMessage.bind(globalThis);
const close = scope.close.bind(globalThis);

scope.onmessage = async ({ data }) => {
  scope.onmessage = null;
  try {
    lockDown();
    await import(data.url);
  } catch (error) {
    fail(thrown(error));
  }
};

// Reported here rather than by the runtime, which would print them beside the relay's log.
addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.message);
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(thrown(event.reason));
});

/** Tell the kernel why this Worker is of no use, and end it. */
function fail(text: string): void {
  post({ t: "failed", text });
  close();
}

function thrown(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function lockDown(): void {
  const inert = { Deno: inertDeno(), console: logConsole(), process: inertProcess() };
  stripProcess();
  guardTimers();
  removeCodeGeneration();
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!KEPT_GLOBALS.has(name)) remove(globalThis, name);
  }
  for (const [name, value] of Object.entries(inert)) define(globalThis, name, value);
  define(globalThis, SDK_GLOBAL, sdk);
}

/** The facts that node modules of the runtime read when they are first loaded. */
function inertDeno(): object {
  return Object.freeze({
    build: Object.freeze({ ...Deno.build }),
    version: Object.freeze({ ...Deno.version }),
    errors: Object.freeze({ ...Deno.errors }),
    args: Object.freeze([]),
    noColor: true,
  });
}

/** What a plugin writes to its console goes to the relay's log, not to its output. */
function logConsole(): object {
  const write = (level: string) => (...values: unknown[]) =>
    post({ t: "log", level, text: values.map(shown).join(" ").slice(0, 10_000) });
  const levels = { debug: "debug", trace: "debug", log: "info", info: "info", warn: "warn", error: "error" };
  return Object.freeze(
    Object.fromEntries(Object.entries(levels).map(([method, level]) => [method, write(level)])),
  );
}

/** What stands for a standard stream. */
function logStream(level: string): object {
  const write = (text: unknown): boolean => {
    post({ t: "log", level, text: String(text).trimEnd().slice(0, 10_000) });
    return true;
  };
  return Object.freeze({ write, isTTY: false, on: () => undefined });
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** The parts of `process` that libraries read, without environment, arguments, streams or built-in modules. */
function inertProcess(): object {
  const { version, versions, platform, arch, release, nextTick, hrtime, emitWarning, uptime } = process;
  return Object.freeze({
    ...{ version, versions, platform, arch, release, nextTick, hrtime, emitWarning, uptime },
    env: Object.create(null),
    stdout: logStream("info"),
    // The runtime's node modules write their deprecation warnings here.
    stderr: logStream("warn"),
    argv: Object.freeze([]),
    execArgv: Object.freeze([]),
    cwd: () => "/",
    on: () => undefined,
    exit: (code?: number) => fail(`The plugin called process.exit(${code ?? ""})`),
  });
}

/** The runtime's own `process` stays reachable for its node modules: without what loads code. */
function stripProcess(): void {
  for (
    const name of ["getBuiltinModule", "binding", "dlopen", "mainModule", "_linkedBinding", "_eval", "kill"]
  ) {
    if (name in process) define(process, name, undefined);
  }
}

/** Timers take only functions: Deno 2.7 runs a text as code. */
function guardTimers(): void {
  for (const name of ["setTimeout", "setInterval", "setImmediate"] as const) {
    const timer = globalThis[name] as (callback: AnyFunction, ...rest: unknown[]) => unknown;
    const guarded = (callback: unknown, ...rest: unknown[]): unknown => {
      if (typeof callback !== "function") {
        throw new TypeError(`Cannot call ${name}: callback must be a function`);
      }
      return timer(callback as AnyFunction, ...rest);
    };
    define(globalThis, name, guarded);
  }
}

/** Take away the five ways to make text into code. */
function removeCodeGeneration(): void {
  const samples: readonly AnyFunction[] = [
    function () {},
    async function () {},
    function* () {},
    async function* () {},
  ];
  for (const sample of samples) {
    const prototype: object = Object.getPrototypeOf(sample);
    const name: string = prototype.constructor.name;
    const stub = refusing(name);
    Object.defineProperty(stub, "prototype", { value: prototype, writable: false });
    define(prototype, "constructor", stub);
    if (name === "Function") define(globalThis, "Function", stub);
  }
  define(globalThis, "eval", refusing("eval"));
}

/** A function of that name that only throws. */
function refusing(name: string): AnyFunction {
  const stub = function (): never {
    throw new EvalError(`Cannot make code of a text with ${name}: plugins may not`);
  };
  return Object.defineProperty(stub, "name", { value: name });
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: false, enumerable: false, configurable: false });
}

function remove(target: object, name: string): void {
  if (!Reflect.deleteProperty(target, name)) {
    throw new TypeError(`Cannot lock the plugin's Worker down: ${name} cannot be removed`);
  }
}
