/**
 * Ctrl-C and SIGTERM: the first one ends the demo in order, a second one at once.
 *
 * @module
 */

/** What a shell reports of a process that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** One press of Ctrl-C can arrive twice: from the terminal, and from `deno task`, which hands it on. */
const SAME_PRESS_MS = 500;

/** Listens for the signals that ask this process to end. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #handlers = new Map<Deno.Signal, () => void>();
  #first: { readonly code: number; readonly at: number } | undefined;

  /** @param onFirst called with the first signal's name */
  constructor(onFirst: (signal: string) => void) {
    for (const [signal, code] of Object.entries(EXIT_CODES) as [keyof typeof EXIT_CODES, number][]) {
      const handler = () => this.#take(signal, code, onFirst);
      this.#handlers.set(signal, handler);
      Deno.addSignalListener(signal, handler);
    }
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** How the process ends because of it; undefined while none came. */
  get exitCode(): number | undefined {
    return this.#first?.code;
  }

  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) Deno.removeSignalListener(signal, handler);
  }

  #take(signal: string, code: number, onFirst: (signal: string) => void): void {
    if (this.#first === undefined) {
      this.#first = { code, at: performance.now() };
      onFirst(signal);
      this.#controller.abort(new Error(`Cannot go on: ${signal} was received`));
    } else if (performance.now() - this.#first.at > SAME_PRESS_MS) {
      // Whoever started the servers and the relay has promised that they end with this process.
      Deno.exit(code);
    }
  }
}

/** Wait. @throws when the signal is aborted, at once */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", abort);
    resolve();
  }, milliseconds);
  function abort() {
    clearTimeout(timer);
    reject(signal.reason);
  }
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return promise;
}
