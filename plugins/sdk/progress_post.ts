/**
 * Sends the progress of pages to the kernel, a few times in a hundred milliseconds at most.
 *
 * @module
 */

import type { PluginMessage } from "./protocol.ts";

/** The least time between two messages about the same page, in milliseconds. */
const PAUSE_MS = 10;

/** The newest progress of each page, on its way to the kernel. */
export class ProgressPost {
  readonly #post: (message: PluginMessage) => void;
  /** For each page on which something was told since the last message, how many records are delivered. */
  readonly #untold = new Map<number, number>();
  /** Pages that are being delivered, and what the kernel knows about them. */
  readonly #told = new Map<number, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param post sends a message to the kernel */
  constructor(post: (message: PluginMessage) => void) {
    this.#post = post;
  }

  /** The first `count` records of page `n` are delivered. */
  tell(n: number, count: number): void {
    if (count <= (this.#told.get(n) ?? 0)) return;
    this.#told.set(n, count);
    this.#untold.set(n, count);
    this.#timer ??= setTimeout(() => this.#flush(), PAUSE_MS);
  }

  /** Page `n` has its answer, which says it all. */
  end(n: number): void {
    this.#told.delete(n);
    this.#untold.delete(n);
    if (this.#untold.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #flush(): void {
    this.#timer = undefined;
    for (const [n, delivered] of this.#untold) this.#post({ t: "progress", n, delivered });
    this.#untold.clear();
  }
}
