/**
 * A plugin that serves one pipeline: its grant, its Worker, and the next Worker after that one died.
 *
 * A start goes: compute the grant; start a Worker with it; if the sink discovers hosts, ask for them, and when some are not in
 * the grant, start once more with all of them; then open. Nothing here waits or repeats by itself: every way to fail is a fault,
 * and the caller decides when to try again.
 *
 * @module
 */

import type { Fault, Opened, PluginConfig } from "@pg-tide/sdk";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Logger } from "../base/telemetry.ts";
import { resolveAsset } from "./asset.ts";
import { computeGrant, covers, type Grant } from "./grant.ts";
import { readHosts, readOpened } from "./guard.ts";
import { HOST_LIMITS } from "./limits.ts";
import type { KnownPlugin } from "./plugin_catalog.ts";
import { faultOfCrash, PluginCrashed } from "./plugin_crashed.ts";
import type { PluginPolicy } from "./policy.ts";
import { type Expectation, type Reply, type Request, WorkerHost } from "./worker_host.ts";

/** What a session needs. */
export interface PluginSessionOptions {
  readonly plugin: KnownPlugin;
  readonly config: PluginConfig;
  readonly policy: PluginPolicy;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Times that one start may find that it needs yet more hosts. */
const ROUNDS = 3;

/** A plugin for one pipeline. */
export class PluginSession {
  readonly #options: PluginSessionOptions;
  #config: PluginConfig;
  /** Hosts beyond those that the configuration names. */
  #hosts: readonly string[] = [];
  #worker: WorkerHost | null = null;
  #opened: Opened = {};
  #closed = false;

  constructor(options: PluginSessionOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** How the kernel may use the opened plugin. */
  get opened(): Opened {
    return this.#opened;
  }

  /** Whether there is a Worker that can be asked. */
  get running(): boolean {
    return this.#worker !== null && this.#worker.crash === null;
  }

  /**
   * Start a Worker in place of the one there is.
   *
   * @returns why it cannot work now, or `null` when it is open
   */
  async restart(): Promise<Fault | null> {
    this.#worker?.terminate();
    this.#worker = null;
    try {
      const fault = await this.#start();
      if (fault !== null) this.#abandon();
      return fault;
    } catch (error) {
      this.#abandon();
      return faultOfError(error);
    }
  }

  /** Let the next Worker reach these hosts too, if the policy allows it; that is known when it starts. */
  admit(hosts: readonly string[]): void {
    this.#hosts = [...new Set([...this.#hosts, ...hosts])];
  }

  /** Whether a configuration needs no other grant than the one that the Worker has. */
  fits(config: PluginConfig): boolean {
    try {
      const before = this.#grantFor(this.#config);
      const after = this.#grantFor(config);
      return covers(before, after.net || []);
    } catch {
      return false;
    }
  }

  /** Start the next Worker with this configuration. */
  set config(config: PluginConfig) {
    this.#config = config;
  }

  /** Ask the plugin; a Worker that dies meanwhile, or has died, is a fault. */
  async request<T>(
    message: Request,
    expectation: Expectation<T>,
    transfer: Transferable[] = [],
  ): Promise<Reply<T>> {
    if (this.#worker === null) return { fault: notRunning(this.#options.plugin) };
    try {
      return await this.#worker.request(message, expectation, transfer);
    } catch (error) {
      return { fault: faultOfError(error) };
    }
  }

  /** Let the plugin end in order; it is not started again. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#worker = null;
    await worker?.close();
  }

  async #start(): Promise<Fault | null> {
    let discovered = this.#options.plugin.description.permissions.discoversHosts !== true;
    for (let round = 0; round < ROUNDS; round++) {
      const grant = this.#grantFor(this.#config);
      const worker = await this.#spawn(grant);
      if (!discovered) {
        const hosts = await this.#discover(worker);
        if ("fault" in hosts) return hosts.fault;
        discovered = true;
        if (!covers(grant, hosts.value)) {
          this.#hosts = hosts.value;
          worker.terminate();
          continue;
        }
      }
      const opened = await this.#open(worker);
      if ("value" in opened) return this.#settle(opened.value, grant);
      if (opened.fault.kind !== "hosts") return opened.fault;
      this.admit(opened.fault.hosts);
      worker.terminate();
    }
    return unavailableFault("NEW_HOSTS", "The plugin asks for other hosts each time that it is started");
  }

  #grantFor(config: PluginConfig): Grant {
    const { plugin: { description, origin }, policy } = this.#options;
    const operatorNet = policy.net.get(description.name) ?? [];
    const { fields } = config;
    return computeGrant({ description, origin, fields, discovered: this.#hosts, operatorNet, resolveAsset });
  }

  async #spawn(grant: Grant): Promise<WorkerHost> {
    const { plugin: { description, entry }, clock, log } = this.#options;
    const worker = await WorkerHost.start({ plugin: description.name, entry, grant, clock, log });
    this.#worker = worker;
    if (this.#closed) {
      worker.terminate();
      throw worker.crash;
    }
    // With a grant a plugin could describe itself otherwise than it did without one, which decided about the grant.
    if (JSON.stringify(worker.description) !== JSON.stringify(description)) {
      worker.terminate();
      throw new PluginCrashed(
        description.name,
        "PLUGIN_PROTOCOL",
        "describes itself in another way than it did before",
      );
    }
    return worker;
  }

  #discover(worker: WorkerHost): Promise<Reply<string[]>> {
    return worker.request({ t: "discover", config: this.#config }, {
      reply: "discovered",
      timeoutMs: HOST_LIMITS.openMs,
      read: ({ hosts }) => readHosts(hosts, "discovered.hosts"),
    });
  }

  #open(worker: WorkerHost): Promise<Reply<Opened>> {
    return worker.request({ t: "open", config: this.#config }, {
      reply: "opened",
      timeoutMs: HOST_LIMITS.openMs,
      read: ({ opened }) => readOpened(opened),
    });
  }

  #settle(opened: Opened, grant: Grant): null {
    const { plugin: { description: { name, kind } }, log } = this.#options;
    this.#opened = opened;
    log.debug("Plugin started", { plugin: name, kind, net: grant.net || [] });
    if (opened.notice !== undefined) log.warn("The plugin warns", { plugin: name, text: opened.notice });
    return null;
  }

  #abandon(): void {
    this.#worker?.terminate();
    this.#worker = null;
    // Hosts that were refused, or are gone, must not stand in the way of the next start.
    this.#hosts = [];
  }
}

function faultOfError(error: unknown): Fault {
  if (error instanceof PluginCrashed) return faultOfCrash(error);
  if (error instanceof UserError) {
    return { kind: "configuration", code: error.code, reason: error.message, advice: error.advice };
  }
  throw error;
}

function notRunning({ description }: KnownPlugin): Fault {
  return unavailableFault("PLUGIN_NOT_RUNNING", `Plugin "${description.name}" is not running`);
}

function unavailableFault(code: string, reason: string): Fault {
  return { kind: "unavailable", code, reason };
}
