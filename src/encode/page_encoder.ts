/**
 * Encoding with a format plugin, waiting out its faults.
 *
 * @module
 */

import type { EncodedPage, Fault, MessagePage } from "@pg-tide/sdk";
import { backoffMs, type BackoffPolicy } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { LIMITS } from "../base/limits.ts";
import { copyMessages } from "../record/copy.ts";
import { type DeliveryState, stateOf } from "../record/state.ts";
import type { Format } from "./mod.ts";

/** Encodes pages one at a time; a format that cannot go on is asked again with backoff until it can. */
export class PageEncoder {
  readonly #format: Format | null;
  readonly #clock: Clock;
  readonly #backoff: BackoffPolicy;
  readonly #onState: (state: DeliveryState) => void;
  readonly #closed = new AbortController();
  #poke = new AbortController();

  constructor(
    format: Format | null,
    clock: Clock,
    backoff: BackoffPolicy,
    onState: (state: DeliveryState) => void,
  ) {
    this.#format = format;
    this.#clock = clock;
    this.#backoff = backoff;
    this.#onState = onState;
  }

  /** Encode a page; `null` when the encoder was closed meanwhile. */
  async encode(page: MessagePage): Promise<EncodedPage | null> {
    for (let attempt = 1; this.#format !== null && !this.#closed.signal.aborted; attempt++) {
      const encoded = await this.#format.encode(copyMessages(page));
      if ("encoded" in encoded) {
        if (attempt > 1) this.#onState({ state: "running" });
        return withPartitions(page, encoded.encoded);
      }
      this.#onState(stateOf(encoded.fault));
      await this.#wait(encoded.fault, attempt);
    }
    return null;
  }

  /** Ask again now rather than when the backoff ends. */
  poke(): void {
    this.#poke.abort();
  }

  /** Give up waiting. */
  close(): void {
    this.#closed.abort();
    this.#poke.abort();
  }

  async #wait(fault: Fault, attempt: number): Promise<void> {
    this.#poke = new AbortController();
    if (this.#closed.signal.aborted) return;
    const leastMs = fault.kind === "configuration" ? LIMITS.blockedRetryMs : 0;
    const jittered = backoffMs(this.#backoff, attempt, this.#clock.random());
    await this.#clock.sleep(Math.max(jittered, leastMs), this.#poke.signal);
  }
}

/** A record goes to its message's partition, unless the format has said where. */
function withPartitions({ partition }: MessagePage, encoded: EncodedPage): EncodedPage {
  const { page, messageIndex } = encoded;
  if (partition === undefined || page.partition !== undefined) return encoded;
  const inherited = Int32Array.from(messageIndex, (index) => partition[index]!);
  return { ...encoded, page: { ...page, partition: inherited } };
}
