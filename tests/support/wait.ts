/**
 * Waiting for something that happens outside this process, within a generous limit.
 *
 * @module
 */

/** How long and how often {@link waitUntil} looks. */
export interface WaitOptions {
  /** What is waited for, for the error. */
  readonly what: string;
  /** @default 30_000 */
  readonly timeoutMs?: number;
  /** @default 20 */
  readonly intervalMs?: number;
  /** Ends the waiting with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Ask again and again until the answer is something else than `undefined` or `false`.
 *
 * @returns that answer
 * @throws Error that names what was waited for, when the time is over
 */
export async function waitUntil<Answer>(
  ask: () => Promise<Answer | undefined | false> | Answer | undefined | false,
  options: WaitOptions,
): Promise<Answer> {
  const { what, timeoutMs = 30_000, intervalMs = 20, signal } = options;
  const end = performance.now() + timeoutMs;
  while (true) {
    signal?.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() >= end) {
      throw new Error(`Cannot wait any longer for ${what}: ${timeoutMs} ms are over`);
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
