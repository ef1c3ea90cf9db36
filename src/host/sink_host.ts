/**
 * A sink plugin as the deliver stage knows it: pages in, answers out, never an exception.
 *
 * @module
 */

import { type Answer, type Fault, faulted, type PluginConfig, type RecordPage } from "@pg-tide/sdk";
import { transferables } from "../../plugins/sdk/transfer.ts";
import { LIMITS } from "../base/limits.ts";
import { readAnswer, readProgress } from "./guard.ts";
import { HOST_LIMITS } from "./limits.ts";
import { PluginSession, type PluginSessionOptions } from "./plugin_session.ts";
import type { Reconfigured } from "../run/mod.ts";

/** An opened sink plugin. */
export class SinkHost {
  readonly #session: PluginSession;

  private constructor(session: PluginSession) {
    this.#session = session;
  }

  /**
   * Start and open a sink.
   *
   * @returns the sink, or why it cannot work now
   */
  static async open(
    options: PluginSessionOptions,
  ): Promise<{ readonly sink: SinkHost } | { readonly fault: Fault }> {
    const session = new PluginSession(options);
    const fault = await session.restart();
    return fault === null ? { sink: new SinkHost(session) } : { fault };
  }

  /** Most pages in flight. */
  get pagesInFlight(): number {
    return this.#session.opened.pagesInFlight ?? LIMITS.pagesInFlight;
  }

  /** A warning of the sink for the operator, or `null`. */
  get notice(): string | null {
    return this.#session.opened.notice ?? null;
  }

  /**
   * Deliver a page, whose buffers go to the sink: the caller keeps a copy. Never rejects; a sink that died answers with a
   * fault.
   *
   * @param onProgress told, before the answer, how many of the first records are delivered
   */
  async deliver(
    page: RecordPage,
    generation: number,
    onProgress: (count: number) => void = () => {},
  ): Promise<Answer> {
    const { count } = page;
    let progress = 0;
    const expectation = {
      reply: "answer",
      timeoutMs: this.#session.opened.answerWithinMs ?? HOST_LIMITS.answerMs,
      onProgress: (delivered: unknown) => {
        progress = readProgress(delivered, progress, count);
        onProgress(progress);
      },
      read: ({ answer }: Readonly<Record<string, unknown>>) => readAnswer(answer, count, progress),
    } as const;
    const reply = await this.#session.request(
      { t: "deliver", generation, page },
      expectation,
      transferables(page),
    );
    return "fault" in reply ? faulted(reply.fault) : reply.value;
  }

  /**
   * Make the sink usable again after a fault; to be called when nothing is in flight. A sink whose Worker lives is left alone,
   * unless it needs hosts: that takes a new Worker.
   *
   * @returns why it is not usable, or `null`
   */
  async recover(fault: Fault): Promise<Fault | null> {
    if (fault.kind === "hosts") this.#session.admit(fault.hosts);
    else if (this.#session.running) return null;
    return await this.#session.restart();
  }

  /**
   * Offer the running sink new secrets or certificates. It takes a new Worker when the sink does not offer that, or other hosts are
   * named.
   */
  async reconfigure(config: PluginConfig): Promise<Reconfigured> {
    if (!this.#session.fits(config)) return { kind: "restart" };
    const expectation = { reply: "reconfigured", timeoutMs: HOST_LIMITS.openMs, read: () => null } as const;
    const reply = await this.#session.request({ t: "reconfigure", config }, expectation);
    if ("fault" in reply) {
      return takesWorker(reply.fault) ? { kind: "restart" } : { kind: "refused", ...reply };
    }
    this.#session.config = config;
    return { kind: "taken" };
  }

  /** Let the sink give up its connections, then end its Worker. */
  close(): Promise<void> {
    return this.#session.close();
  }
}

/** Whether a sink that was offered other values needs a new Worker for them: it threw, or must reach further hosts. */
function takesWorker(fault: Fault): boolean {
  return fault.kind === "hosts" || fault.code === "PLUGIN_ERROR";
}
