/**
 * Watches the files that a pipeline's configuration names, while a session runs on what they held when it began.
 *
 * Files are read again rather than watched: what a secret is mounted from may be a link that is turned elsewhere, or lie on another
 * machine, and tells nobody that it has changed. A change counts when two looks in a row see the same, because a certificate and its
 * key are two files, and a long one is not written in a moment.
 *
 * Other values of the sink's own fields are offered to the sink, which goes on with those it has if it cannot use them; it is offered
 * them again as slowly as a blocked pipeline is tried. Anything else that has changed takes a new session.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import type { Logger } from "../base/telemetry.ts";
import { stateOf } from "../record/state.ts";
import type { FieldValues, Readings, Reconfigured, Warning } from "./mod.ts";

/** What a watch needs. */
export interface FileWatchOptions {
  /** What the session runs on. */
  readonly readings: Readings;
  /** Read again. @throws {UserError} when that cannot be done, or the values do not fit */
  readonly reread: () => Promise<Readings>;
  /** Offer the running sink other values of its fields. */
  readonly offer: (fields: FieldValues) => Promise<Reconfigured>;
  /** The sink runs with the new values. */
  readonly onTaken: () => void;
  /** Told why the files' new content is not in force, and when that is over. */
  readonly onWarning: (warning: Warning | null) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a look at the files came to, and a text of it to compare. */
type Look = { readonly text: string } & ({ readonly readings: Readings } | { readonly error: UserError });

/** Watches files for one session. */
export class FileWatch {
  readonly #options: FileWatchOptions;
  /** What the session runs on now. */
  #inForce: Readings;
  /** What the last look saw, and when it may be offered; the first time at once. */
  #seen = { text: "", fromMs: -Infinity };

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#inForce = options.readings;
  }

  /** Watch until `signal` aborts. Resolves with true as soon as a new session must begin, else with false. */
  async run(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(LIMITS.filesPollMs, signal);
      if (signal.aborted) break;
      const look = await this.#look();
      if (signal.aborted) break;
      if (await this.#consider(look)) return true;
    }
    return false;
  }

  async #look(): Promise<Look> {
    try {
      const readings = await this.#options.reread();
      return { readings, text: textOf(readings) };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { error, text: messageOf(error) };
    }
  }

  /** @returns whether a new session must begin */
  async #consider(look: Look): Promise<boolean> {
    const { clock, log, onWarning } = this.#options;
    if (look.text === textOf(this.#inForce)) {
      this.#seen = { text: look.text, fromMs: -Infinity };
      onWarning(null);
      return false;
    }
    if (look.text !== this.#seen.text) {
      this.#seen = { text: look.text, fromMs: -Infinity };
      return false;
    }
    if (clock.monotonic() < this.#seen.fromMs) return false;
    this.#seen = { text: look.text, fromMs: clock.monotonic() + LIMITS.blockedRetryMs };
    if ("error" in look) {
      const { code, message, advice } = look.error;
      onWarning(warningOf(code, message, advice));
      return false;
    }
    if (look.readings.rest === this.#inForce.rest) return await this.#offer(look.readings);
    log.info("A file of the configuration has changed: beginning anew with it");
    return true;
  }

  async #offer(readings: Readings): Promise<boolean> {
    const { log, offer, onTaken, onWarning } = this.#options;
    const outcome = await offer(readings.sink);
    switch (outcome.kind) {
      case "taken":
        this.#inForce = readings;
        log.info("A file of the configuration has changed: the sink has taken it");
        onWarning(null);
        onTaken();
        return false;
      case "restart":
        log.info("A file of the configuration has changed: beginning anew with it");
        return true;
      case "refused": {
        const { code, reason, advice } = { code: "", reason: "", advice: null, ...stateOf(outcome.fault) };
        onWarning(warningOf(code, reason, advice));
        return false;
      }
    }
  }
}

function warningOf(code: string, reason: string, advice: string | null): Warning {
  const told = `A file of the configuration has changed, and is not in force: ${reason}`;
  return { code, reason: told, advice };
}

function textOf({ sink, rest }: Readings): string {
  return JSON.stringify([sink, rest]);
}
