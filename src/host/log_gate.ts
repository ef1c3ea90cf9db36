/**
 * What a plugin logs, within bounds.
 *
 * @module
 */

import type { Logger } from "../base/telemetry.ts";
import { HOST_LIMITS } from "./limits.ts";

/** A line of a plugin. */
export interface PluginLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}

/** Hands lines on to the log; what is too much between two beats is counted and told once. */
export class LogGate {
  readonly #log: Logger;
  #lines = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Hand a line on.
   *
   * @returns false when there are so many that the relay itself is in danger
   */
  pass({ level, text }: PluginLine): boolean {
    this.#lines++;
    if (this.#lines <= HOST_LIMITS.logsPerBeat) this.#log[level]("The plugin says", { text });
    return this.#lines <= HOST_LIMITS.logFlood;
  }

  /** A beat has passed: count from zero. */
  beat(): void {
    const dropped = this.#lines - HOST_LIMITS.logsPerBeat;
    this.#lines = 0;
    if (dropped > 0) this.#log.warn("The plugin logs too much: lines were dropped", { dropped });
  }
}
