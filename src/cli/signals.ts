/**
 * Signals that ask the process to end.
 *
 * @module
 */

/** What a shell reports of a process that a signal ended. */
export const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143 } as const;

/** A signal that asks the process to end. */
export type EndingSignal = keyof typeof SIGNAL_EXITS;

/** The first and the second of them, from now on until it is closed. */
export interface EndingSignals {
  readonly first: Promise<EndingSignal>;
  readonly second: Promise<EndingSignal>;
  close(): void;
}

/** Listen for them: the process does not end by itself then. */
export function listenForEnd(): EndingSignals {
  const first = Promise.withResolvers<EndingSignal>();
  const second = Promise.withResolvers<EndingSignal>();
  let seen = 0;
  const handlers = (Object.keys(SIGNAL_EXITS) as EndingSignal[]).map((signal) => {
    const handler = () => (seen++ === 0 ? first : second).resolve(signal);
    Deno.addSignalListener(signal, handler);
    return () => Deno.removeSignalListener(signal, handler);
  });
  return {
    first: first.promise,
    second: second.promise,
    close: () => handlers.forEach((remove) => remove()),
  };
}
