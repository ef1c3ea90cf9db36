/**
 * The ack stage: how far a pipeline has come, and saving it.
 *
 * A message is *final* when it is delivered, filtered or dead-lettered. The *frontier* is the end of the contiguous
 * prefix of final messages, in reading order; it is all that is ever saved, so a crash can only repeat messages, never skip one.
 * The committer saves the frontier at its own pace, behind it and never ahead of it. Every save carries the epoch of the
 * pipeline's lease: a relay that has lost its lease finds its save refused and stops.
 *
 * @module
 */

import type { Position } from "../record/position.ts";

/** Where positions are kept. */
export interface OffsetStore {
  /**
   * Save a position, and its window if that is not saved yet.
   *
   * @throws {FencedError} (`src/base/errors.ts`) when the lease's epoch is not ours any more; nothing is saved then
   */
  save(position: Position): Promise<void>;
}
