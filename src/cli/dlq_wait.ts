/**
 * Waiting until dead letters were sent again, with progress.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { EXIT, UserError } from "../base/errors.ts";
import type { LetterOffice, ShownRetry } from "../pg/letter_office.ts";
import { endText, progressText } from "./dlq_text.ts";
import type { Output } from "./output.ts";
import { listenForEnd, SIGNAL_EXITS } from "./signals.ts";

/** What it asks. */
export type RetryDesk = Pick<LetterOffice, "retries">;

/** How often it is asked for. */
const ASK_EVERY_MS = 500;

/** A line of progress at most so often. */
const TELL_EVERY_MS = 2_000;

/** After which silence it is said where to look. */
const QUIET_MS = 15_000;

/**
 * Wait until something that was asked for is done, and tell how far it has come. SIGINT and SIGTERM end the waiting, and nothing else.
 *
 * @returns the exit code: 1 when some of the letters were not delivered
 */
export async function waitForRetry(
  office: RetryDesk,
  retry: number,
  flags: { readonly json?: true },
  output: Output,
  clock: Clock,
): Promise<number> {
  const signals = listenForEnd();
  const interrupted = new AbortController();
  const ending = signals.first.then((signal) => (interrupted.abort(), signal));
  try {
    const ended = await follow(office, retry, output, clock, interrupted.signal);
    if (ended === null) {
      const signal = await ending;
      output.err(
        `Not waited for any longer. Retry ${retry} goes on: pg-tide dlq status shows how far it has come, ` +
          `pg-tide dlq cancel ${retry} calls it off.`,
      );
      return SIGNAL_EXITS[signal];
    }
    if (flags.json) output.out(JSON.stringify(ended));
    else for (const line of endText(ended)) output.out(line);
    return ended.state === "finished" && ended.refused === 0 ? EXIT.good : EXIT.failure;
  } finally {
    signals.close();
  }
}

/** How it has ended; null when `interrupted`. */
async function follow(
  office: RetryDesk,
  retry: number,
  output: Output,
  clock: Clock,
  interrupted: AbortSignal,
): Promise<ShownRetry | null> {
  let told = "";
  let toldMs = clock.monotonic();
  while (!interrupted.aborted) {
    const [now] = await office.retries(null, retry, 1);
    if (now === undefined) throw deletedError(retry);
    if (now.state !== "open") return now;
    const nowMs = clock.monotonic();
    const text = progressText(now);
    if (text !== told && nowMs - toldMs >= TELL_EVERY_MS) {
      output.err(text);
      [told, toldMs] = [text, nowMs];
    } else if (nowMs - toldMs >= QUIET_MS) {
      output.err(
        `${text}; nothing has moved for a while: pg-tide status shows how the pipeline ${now.pipeline} is`,
      );
      [told, toldMs] = [text, nowMs];
    }
    await clock.sleep(ASK_EVERY_MS, interrupted);
  }
  return null;
}

function deletedError(retry: number): UserError {
  return new UserError(`Cannot wait for retry ${retry}: its pipeline was deleted`, {
    code: "DEAD_LETTERS_PIPELINE_DELETED",
    advice:
      "The dead letters that were not sent are kept: pg-tide dlq list shows them, pg-tide dlq retry --into sends " +
      "them through another pipeline.",
    exitCode: EXIT.failure,
  });
}
