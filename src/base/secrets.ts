/**
 * The secrets that this process has resolved, so that nothing it writes shows them.
 *
 * @module
 */

/** Texts that must never be shown. Only ever grows: a secret that was replaced may still stand in an old error. */
export class SecretKeeper {
  readonly #secrets = new Set<string>();
  readonly #build: (secrets: Iterable<string>) => (text: string) => string;
  #redact: (text: string) => string;

  /** @param build makes a function that replaces these secrets in a text */
  constructor(build: (secrets: Iterable<string>) => (text: string) => string) {
    this.#build = build;
    this.#redact = build([]);
  }

  /** Keep these too. */
  add(secrets: Iterable<string>): void {
    const before = this.#secrets.size;
    for (const secret of secrets) this.#secrets.add(secret);
    if (this.#secrets.size > before) this.#redact = this.#build(this.#secrets);
  }

  /** The text without secrets. */
  redact(text: string): string {
    return this.#redact(text);
  }
}
