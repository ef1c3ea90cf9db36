/**
 * Memory for batches, used again and again.
 *
 * @module
 */

/** The size of new buffers: a batch grows its own as needed, and the pool then hands out the grown ones. */
const FRESH_BYTES = 16 * 1024;

/** The most bytes that are kept for later. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/** Buffers above this are not kept: a single huge message must not hold memory for ever. */
const KEPT_BUFFER_MAX = 2 * 1024 * 1024;

/** A pool of buffers. */
export class BufferPool {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #kept = 0;

  /** A buffer with any content. */
  take(): Uint8Array<ArrayBuffer> {
    const buffer = this.#free.pop();
    if (buffer === undefined) return new Uint8Array(FRESH_BYTES);
    this.#kept -= buffer.length;
    return buffer;
  }

  /** Give a buffer back. The caller must not touch it any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length > KEPT_BUFFER_MAX || this.#kept + buffer.length > KEPT_BYTES_MAX) return;
    this.#kept += buffer.length;
    this.#free.push(buffer);
  }
}
