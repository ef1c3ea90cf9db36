/**
 * What a person sees of the demo: lines that stay, and one that changes in place.
 *
 * @module
 */

/** A terminal, a pipe, or a test in their place. */
export interface Writable {
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/** Where nothing can be changed in place, a new line of progress comes this often. */
const LINE_EVERY_MS = 1_000;
const SPINNER_EVERY_MS = 200;
const CLEAR_LINE = "\r\x1b[K";

/** Writes lines, and progress below them. */
export class Screen {
  readonly #stream: Writable;
  readonly #encoder = new TextEncoder();
  readonly #inPlace: boolean;
  #lastProgress = -Infinity;
  #open = false;

  constructor(stream: Writable) {
    this.#stream = stream;
    this.#inPlace = stream.isTerminal();
  }

  /** A line that stays. */
  line(text = ""): void {
    this.#write(`${this.#open ? CLEAR_LINE : ""}${text}\n`);
    this.#open = false;
  }

  /** The state of something that goes on: replaces the last one in a terminal, elsewhere a line each second. */
  progress(text: string): void {
    if (this.#inPlace) {
      this.#write(`${CLEAR_LINE}${text}`);
      this.#open = true;
      return;
    }
    if (performance.now() - this.#lastProgress < LINE_EVERY_MS) return;
    this.#lastProgress = performance.now();
    this.#write(`${text}\n`);
  }

  /** Show what is being done and for how long, then what came of it. */
  async during<Result>(
    what: string,
    work: () => Promise<Result>,
    summary: (result: Result) => string,
  ): Promise<Result> {
    const started = performance.now();
    const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
    this.progress(`${what} …`);
    const timer = setInterval(() => this.progress(`${what} … ${seconds()} s`), SPINNER_EVERY_MS);
    try {
      const result = await work();
      this.line(`${summary(result)} (${seconds()} s)`);
      return result;
    } finally {
      clearInterval(timer);
      this.#lastProgress = -Infinity;
    }
  }

  #write(text: string): void {
    let rest = this.#encoder.encode(text);
    try {
      while (rest.length > 0) rest = rest.subarray(this.#stream.writeSync(rest));
    } catch (error) {
      // A reader that has gone away, such as `head`, wants no more.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
  }
}
