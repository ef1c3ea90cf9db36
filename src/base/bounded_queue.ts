/**
 * A queue with a bound between one producer and one consumer.
 *
 * @module
 */

/** Hands values on in order; the producer waits while `capacity` values are not taken yet. */
export class BoundedQueue<T> {
  readonly #capacity: number;
  readonly #values: T[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void)[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Append a value once there is room.
   *
   * @returns false when the queue has ended meanwhile; the value is dropped then
   */
  async push(value: T): Promise<boolean> {
    while (!this.#ended && this.#values.length >= this.#capacity) await this.#change();
    if (this.#ended) return false;
    this.#values.push(value);
    this.#changed();
    return true;
  }

  /**
   * Take the next value once there is one; `undefined` after the end.
   *
   * @throws what {@link BoundedQueue.fail} was given, after the values before it
   */
  async take(): Promise<T | undefined> {
    for (;;) {
      if (this.#values.length > 0) {
        const value = this.#values.shift();
        this.#changed();
        return value;
      }
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#ended) return undefined;
      await this.#change();
    }
  }

  /** No more values; those not taken yet are still given out. */
  end(): void {
    this.#ended = true;
    this.#changed();
  }

  /** No more values, because of an error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.end();
  }

  /** End, and drop what is not taken yet. */
  abandon(): void {
    this.#values.length = 0;
    this.end();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}
