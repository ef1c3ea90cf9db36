/**
 * What is sent to one broker.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { PartitionQueue } from "./partition_queue.ts";

/** The way to one broker: the partitions that it leads and that have something to send. */
export class Lane {
  readonly node: number;
  /** The queues with waiting batches, longest unserved first. */
  readonly active = new Set<PartitionQueue>();
  /** Requests that are not answered yet. */
  inFlight = 0;
  /** Whether a connection is being made. */
  opening = false;
  /** Whether there has been a connection. */
  opened = false;
  /** How often in a row no connection could be made. */
  failures = 0;
  /** Nothing is done before this time: the broker asked for a pause, or could not be reached. */
  pausedUntilMs = 0;
  readonly #clock: Clock;
  #callOff: (() => void) | undefined;
  #wakeAtMs = Infinity;

  constructor(node: number, clock: Clock) {
    this.node = node;
    this.#clock = clock;
  }

  /** Call `wake` at `atMs` (never, if infinite), unless it will be called earlier anyway. */
  wake(atMs: number, nowMs: number, wake: () => void): void {
    if (atMs >= this.#wakeAtMs) return;
    this.sleep();
    this.#wakeAtMs = atMs;
    this.#callOff = this.#clock.after(Math.max(1, Math.ceil(atMs - nowMs)), () => {
      this.#wakeAtMs = Infinity;
      wake();
    });
  }

  /** Do not wake. */
  sleep(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#wakeAtMs = Infinity;
  }
}
