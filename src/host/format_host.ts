/**
 * A format plugin as the encode stage knows it: messages in, records out, never an exception.
 *
 * @module
 */

import type { EncodedPage, Fault, MessagePage } from "@pg-tide/sdk";
import { transferables } from "../../plugins/sdk/transfer.ts";
import { readEncoded, type SentMessages } from "./guard.ts";
import { HOST_LIMITS } from "./limits.ts";
import { PluginSession, type PluginSessionOptions } from "./plugin_session.ts";

/** An opened format plugin. */
export class FormatHost {
  readonly #session: PluginSession;

  private constructor(session: PluginSession) {
    this.#session = session;
  }

  /**
   * Start and open a format.
   *
   * @returns the format, or why it cannot work now
   */
  static async open(
    options: PluginSessionOptions,
  ): Promise<{ readonly format: FormatHost } | { readonly fault: Fault }> {
    const session = new PluginSession(options);
    const fault = await session.restart();
    return fault === null ? { format: new FormatHost(session) } : { fault };
  }

  /**
   * Encode a page, whose buffers go to the format: the caller keeps a copy. A format whose Worker died is started again
   * first.
   */
  async encode(
    page: MessagePage,
  ): Promise<{ readonly encoded: EncodedPage } | { readonly fault: Fault }> {
    if (!this.#session.running) {
      const fault = await this.#session.restart();
      if (fault !== null) return { fault };
    }
    const sent = sentOf(page);
    const expectation = {
      reply: "encoded",
      timeoutMs: HOST_LIMITS.encodeMs,
      read: ({ encoded }: Readonly<Record<string, unknown>>) => readEncoded(encoded, sent),
    } as const;
    const reply = await this.#session.request({ t: "encode", page }, expectation, transferables(page));
    if (!("fault" in reply)) return { encoded: reply.value };
    if (reply.fault.kind === "hosts") {
      this.#session.admit(reply.fault.hosts);
      const fault = await this.#session.restart();
      return { fault: fault ?? reply.fault };
    }
    return { fault: reply.fault };
  }

  /** Let the format give up what it holds, then end its Worker. */
  close(): Promise<void> {
    return this.#session.close();
  }
}

/** What must be kept of a page that is given away, to check what comes back. */
function sentOf(page: MessagePage): SentMessages {
  const columns = [page.key, page.headers, page.payload, page.previous, page.dedupKey];
  return { ids: page.ids.slice(), bytes: columns.reduce((sum, { bytes }) => sum + bytes.length, 0) };
}
