/**
 * What a proxy has done, line by line, for whoever must find out why a run went wrong.
 *
 * @module
 */

import type { FaultKind } from "./fault_schedule.ts";

/** Lines that are kept: the last ones. */
const LINES_MAX = 400;

/** The trace of a run. */
export class FaultTrace {
  readonly #lines: string[] = [];
  readonly #counts = new Map<FaultKind, number>();
  #left = 0;

  /** Something was done. */
  note(kind: FaultKind, line: string): void {
    this.#counts.set(kind, this.count(kind) + 1);
    this.#lines.push(`${kind}: ${line}`);
    if (this.#lines.length <= LINES_MAX) return;
    this.#lines.shift();
    this.#left++;
  }

  /** How often it was done. */
  count(kind: FaultKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** How often each thing was done, for those that were. */
  get counts(): ReadonlyMap<FaultKind, number> {
    return this.#counts;
  }

  /** How much was done in all. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The lines, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  toString(): string {
    return [...this.#left === 0 ? [] : [`(${this.#left} earlier lines)`], ...this.#lines].join("\n");
  }
}
