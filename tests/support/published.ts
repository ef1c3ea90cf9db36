/**
 * What was published, and whether a reader got all of it, once, and in order: the oracle of promises P1 and P4.
 *
 * @module
 */

/** A message that a transaction has tried to publish. Times are ticks of one counter: all publishers live in this process. */
interface Fact {
  /** Before the call was sent. */
  readonly started: number;
  /** After the commit was acknowledged; never, when the transaction rolled back. */
  committed: number;
  /** For messages of a key: that they hold a lock of the key until they end, and come in the order of their turns. */
  readonly key?: string;
  readonly turn?: number;
}

/** What publishers did. Messages are numbered from 0. */
export class Published {
  readonly #facts: Fact[] = [];
  #tick = 0;
  #committed = 0;

  /** Just before a message is published; returns its number. */
  start(key?: string, turn?: number): number {
    const place = key === undefined || turn === undefined ? {} : { key, turn };
    return this.#facts.push({ started: this.tick(), committed: Infinity, ...place }) - 1;
  }

  /** Just after the transaction that published these messages has committed. */
  commit(messages: readonly number[]): void {
    const now = this.tick();
    for (const message of messages) this.#facts[message]!.committed = now;
    this.#committed += messages.length;
  }

  /** Messages that were committed. */
  get committed(): number {
    return this.#committed;
  }

  fact(message: number): Fact {
    return this.#facts[message]!;
  }

  /** All messages, whatever became of them. */
  get count(): number {
    return this.#facts.length;
  }

  tick(): number {
    return ++this.#tick;
  }
}

/** What one reader got, checked while it comes. */
export class Received {
  readonly #published: Published;
  readonly #times = new Map<number, number>();
  readonly #turns = new Map<string, number>();
  readonly #problems: string[] = [];
  /** The latest start of a message that was received. */
  #newest = 0;

  constructor(published: Published) {
    this.#published = published;
  }

  /** The reader got a message. */
  add(message: number): void {
    const times = (this.#times.get(message) ?? 0) + 1;
    this.#times.set(message, times);
    if (times > 1) {
      this.#problems.push(`message ${message} came ${times} times`);
      return;
    }
    const { started, committed, key, turn } = this.#published.fact(message);
    // Committed before another that is here already was even started. A commit that is not acknowledged yet says nothing.
    if (committed < this.#newest) {
      this.#problems.push(`message ${message} came after one that was published when it had committed`);
    }
    this.#newest = Math.max(this.#newest, started);
    if (key === undefined || turn === undefined) return;
    const last = this.#turns.get(key) ?? 0;
    if (turn <= last) this.#problems.push(`turn ${turn} of ${key} came after turn ${last}`);
    this.#turns.set(key, Math.max(last, turn));
  }

  /** Different messages that were received. */
  get count(): number {
    return this.#times.size;
  }

  /** Messages that were committed and did not come. */
  lost(): number[] {
    const all = Array.from({ length: this.#published.count }, (_, message) => message);
    return all.filter((message) =>
      this.#published.fact(message).committed < Infinity && !this.#times.has(message)
    );
  }

  /** What is wrong, once everything has ended. */
  problems(): string[] {
    const ghosts = [...this.#times.keys()].filter((message) =>
      this.#published.fact(message).committed === Infinity
    );
    return [
      ...this.#problems,
      ...this.lost().map((message) => `message ${message} was lost`),
      ...ghosts.map((message) => `message ${message} came although its transaction rolled back`),
    ];
  }
}
