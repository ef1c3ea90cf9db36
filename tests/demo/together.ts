/**
 * Several tasks side by side, none of which works on behind its caller's back.
 *
 * @module
 */

/** A task that ends soon after its signal is aborted. */
export type Task = (signal: AbortSignal) => Promise<void>;

/**
 * Run tasks side by side. When one fails the others are stopped.
 *
 * @throws what the first one threw, when all have ended
 */
export async function together(signal: AbortSignal, tasks: readonly Task[]): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  await Promise.allSettled(tasks.map((task) => task(either).catch((error) => failed.abort(error))));
  failed.signal.throwIfAborted();
}

/**
 * Run a task while another is looked after; the task is stopped when that fails, and has ended when this returns.
 *
 * @param look is given the running task, and says what to return
 */
export async function alongside<Result>(
  signal: AbortSignal,
  task: Task,
  look: (running: Promise<void>) => Promise<Result>,
): Promise<Result> {
  const over = new AbortController();
  const running = task(AbortSignal.any([signal, over.signal]));
  try {
    return await look(running);
  } finally {
    over.abort(new Error("Cannot go on: nobody waits for this any more"));
    await running.catch(() => {});
  }
}
