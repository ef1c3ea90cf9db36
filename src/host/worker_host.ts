/**
 * One plugin's Worker: started, spoken to, watched, ended.
 *
 * States: *starting* (until the hello), *running*, *ended*. A Worker ends when it is closed, when it fails, breaks the
 * contract, or no longer answers; every open request then rejects with the same {@link PluginCrashed}, and so does every
 * later one. Starting another is the caller's decision.
 *
 * A Worker that exits, spins or closes itself raises no event here, so it is asked for a sign of life at every beat. Any
 * message is one. Beats are counted rather than timed: a relay that was stopped or suspended for a minute then sees one missed
 * beat, not a dead Worker.
 *
 * @module
 */

import type { HostMessage } from "../../plugins/sdk/protocol.ts";
import type { Fault, PluginDescription } from "@pg-tide/sdk";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/telemetry.ts";
import type { Grant } from "./grant.ts";
import {
  cleanText,
  type Envelope,
  readDescription,
  readEnvelope,
  readFault,
  type ReplyName,
} from "./guard.ts";
import type { Members } from "./guard_value.ts";
import { HOST_LIMITS } from "./limits.ts";
import { LogGate } from "./log_gate.ts";
import { type CrashCode, PluginCrashed } from "./plugin_crashed.ts";

/** The module that a Worker starts with, and for an external plugin what that module then loads. */
export interface WorkerEntry {
  readonly url: string;
  /** The screened plugin as a `data:` module. */
  readonly load?: string;
}

/** What a Worker needs. */
export interface WorkerHostOptions {
  /** The plugin's name, for errors and the log. */
  readonly plugin: string;
  readonly entry: WorkerEntry;
  readonly grant: Grant;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A request without its number. */
export type Request = HostMessage extends infer M ? M extends { readonly n: number } ? Omit<M, "n"> : never
  : never;

/** How a request is answered. */
export interface Expectation<T> {
  readonly reply: ReplyName;
  readonly timeoutMs: number;
  /** Reads the reply's content. @throws {GuardError} */
  readonly read: (content: Members) => T;
  /** Reads what is told before the reply; without it nothing may be. @throws {GuardError} */
  readonly onProgress?: (delivered: unknown) => void;
}

/** The reply to a request: what was asked for, or why the plugin cannot. */
export type Reply<T> = { readonly value: T } | { readonly fault: Fault };

interface Pending {
  readonly reply: ReplyName;
  readonly read: (content: Members) => unknown;
  readonly onProgress?: (delivered: unknown) => void;
  readonly resolve: (reply: Reply<unknown>) => void;
  readonly reject: (error: PluginCrashed) => void;
  readonly expiry: AbortController;
}

/** A running Worker. */
export class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #hello = Promise.withResolvers<PluginDescription>();
  readonly #ended = new AbortController();
  readonly #logs: LogGate;
  #description: PluginDescription | null = null;
  #crash: PluginCrashed | null = null;
  #lastNumber = 0;
  #missed = 0;

  private constructor(options: WorkerHostOptions) {
    this.#options = options;
    this.#logs = new LogGate(options.log);
    this.#worker = spawn(options);
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onmessageerror = () => this.#end("PLUGIN_PROTOCOL", "sent a message that cannot be read");
    this.#worker.onerror = (event) => {
      // Without this, the error would end the whole process.
      event.preventDefault();
      this.#end("PLUGIN_FAILED", `failed: ${cleanText(event.message)}`);
    };
    if (options.entry.load !== undefined) {
      this.#worker.postMessage({ t: "load", url: options.entry.load });
    }
  }

  /**
   * Start a Worker and wait for its hello.
   *
   * @throws {PluginCrashed} when it does not come
   */
  static async start(options: WorkerHostOptions): Promise<WorkerHost> {
    const host = new WorkerHost(options);
    const { clock } = options;
    clock.sleep(HOST_LIMITS.helloMs, host.#ended.signal).then(() => {
      if (host.#description === null) {
        host.#end("PLUGIN_START", `did not start within ${HOST_LIMITS.helloMs / 1_000} s`);
      }
    });
    await host.#hello.promise;
    host.#watch();
    return host;
  }

  /** What the plugin says of itself. */
  get description(): PluginDescription {
    return this.#description!;
  }

  /** Why the Worker has ended, or `null` while it runs. */
  get crash(): PluginCrashed | null {
    return this.#crash;
  }

  /**
   * Ask the plugin for something.
   *
   * @throws {PluginCrashed} when the Worker ends before it answers, or has ended
   */
  request<T>(
    message: Request,
    expectation: Expectation<T>,
    transfer: Transferable[] = [],
  ): Promise<Reply<T>> {
    if (this.#crash !== null) return Promise.reject(this.#crash);
    const n = ++this.#lastNumber;
    const { promise, resolve, reject } = Promise.withResolvers<Reply<T>>();
    const expiry = new AbortController();
    const pending: Pending = { ...expectation, resolve: resolve as Pending["resolve"], reject, expiry };
    this.#worker.postMessage({ ...message, n }, transfer);
    this.#pending.set(n, pending);
    this.#expire(n, message.t, expectation.timeoutMs, expiry.signal);
    return promise;
  }

  /** Let the plugin end in order, as long as that takes no more than {@link HOST_LIMITS.closeMs}; then end the Worker. */
  async close(): Promise<void> {
    if (this.#crash !== null) return;
    try {
      await this.request({ t: "close" }, {
        reply: "closed",
        timeoutMs: HOST_LIMITS.closeMs,
        read: () => null,
      });
    } catch (error) {
      this.#options.log.debug("The plugin did not close in order", { reason: messageOf(error) });
    }
    this.terminate();
  }

  /** End the Worker at once. */
  terminate(): void {
    this.#end("PLUGIN_CLOSED", "was ended by the relay");
  }

  #receive(data: unknown): void {
    if (this.#crash !== null) return;
    this.#missed = 0;
    try {
      this.#handle(readEnvelope(data));
    } catch (error) {
      this.#end("PLUGIN_PROTOCOL", `broke the plugin contract: ${cleanText(messageOf(error))}`, error);
    }
  }

  #handle(envelope: Envelope): void {
    switch (envelope.t) {
      case "hello":
        return this.#greet(envelope.description);
      case "failed": {
        const code = this.#description === null ? "PLUGIN_START" : "PLUGIN_FAILED";
        return this.#end(code, `failed: ${envelope.text}`);
      }
      case "log":
        if (!this.#logs.pass(envelope)) {
          this.#end("PLUGIN_PROTOCOL", `logged more than ${HOST_LIMITS.logFlood} lines within a second`);
        }
        return;
      case "progress":
        return this.#advance(envelope);
      case "reply":
        return this.#settle(envelope);
    }
  }

  #advance({ n, delivered }: Extract<Envelope, { t: "progress" }>): void {
    const onProgress = this.#pending.get(n)?.onProgress;
    if (onProgress === undefined) {
      return this.#end("PLUGIN_PROTOCOL", `sent "progress" for request ${n}, which nobody waits for`);
    }
    onProgress(delivered);
  }

  #greet(raw: unknown): void {
    if (this.#description !== null) return this.#end("PLUGIN_PROTOCOL", "said hello twice");
    this.#description = readDescription(raw);
    this.#hello.resolve(this.#description);
  }

  #settle({ name, n, content }: Extract<Envelope, { t: "reply" }>): void {
    const pending = this.#pending.get(n);
    if (pending === undefined || (name !== pending.reply && name !== "fault")) {
      return this.#end("PLUGIN_PROTOCOL", `sent "${name}" for request ${n}, which nobody waits for`);
    }
    const reply = name === "fault"
      ? { fault: readFault(content["fault"], "fault") }
      : { value: pending.read(content) };
    this.#pending.delete(n);
    // Any reason: without one an exception is built for each page.
    pending.expiry.abort(null);
    pending.resolve(reply);
  }

  async #expire(n: number, what: string, timeoutMs: number, answered: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(timeoutMs, answered);
    if (this.#pending.has(n)) {
      this.#end("PLUGIN_HUNG", `did not answer "${what}" within ${timeoutMs / 1_000} s`);
    }
  }

  /** Ask for a sign of life at every beat. */
  async #watch(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#ended.signal.aborted) {
      if (this.#missed++ === 0) this.#ping();
      await clock.sleep(HOST_LIMITS.beatMs, this.#ended.signal);
      this.#logs.beat();
      if (this.#missed > HOST_LIMITS.beatsMissed) {
        const seconds = HOST_LIMITS.beatsMissed * HOST_LIMITS.beatMs / 1_000;
        this.#end("PLUGIN_HUNG", `gave no sign of life for ${seconds} s: it hangs, or has exited`);
      }
    }
  }

  #ping(): void {
    const read = () => null;
    this.request({ t: "ping" }, { reply: "pong", timeoutMs: HOST_LIMITS.answerMaxMs, read }).catch(() => {
      // The end of the Worker is told to those who asked for more than a sign of life.
    });
  }

  #end(code: CrashCode, reason: string, cause?: unknown): void {
    if (this.#crash !== null) return;
    const crash = new PluginCrashed(this.#options.plugin, code, reason, cause === undefined ? {} : { cause });
    this.#crash = crash;
    this.#worker.terminate();
    this.#ended.abort();
    this.#logs.beat();
    if (this.#description === null) this.#hello.reject(crash);
    for (const { reject, expiry } of this.#pending.values()) {
      expiry.abort();
      reject(crash);
    }
    this.#pending.clear();
  }
}

function spawn({ plugin, entry, grant }: WorkerHostOptions): Worker {
  try {
    return new Worker(
      entry.url,
      plain({ type: "module" as const, name: plugin, deno: plain({ permissions: grant }) }),
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const needs = [...(grant.net || []), ...(grant.read || [])].join(", ");
    throw new PluginCrashed(plugin, "PLUGIN_GRANT", `needs ${needs}, which the relay itself may not touch`, {
      cause: error,
    });
  }
}

/** Without a prototype, as the grant: what is not stated here is nowhere. */
function plain<T extends object>(members: T): T {
  return Object.assign(Object.create(null), members);
}
