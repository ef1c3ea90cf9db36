/**
 * The ack stage's port, over PostgreSQL: positions are appended, and fenced by the lease's epoch.
 *
 * @module
 */

import type { OffsetStore } from "../ack/mod.ts";
import type { Position } from "../record/position.ts";
import { checkClaim, type Claim, type ClaimVerdict } from "./claim.ts";
import type { Database } from "./database.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const SAVE_POSITION = readStatement("save_position");
const SAVE_WINDOW = readStatement("save_window");

/** Saves the positions of one pipeline under a claim. */
export class PostgresOffsetStore implements OffsetStore {
  readonly #db: Database;
  readonly #claim: Claim;
  #savedWindow: number;

  /** @param savedWindow the window of the saved position, or 0 when there is none */
  constructor(db: Database, claim: Claim, savedWindow: number) {
    this.#db = db;
    this.#claim = claim;
    this.#savedWindow = savedWindow;
  }

  async save({ window, phase, lastId }: Position): Promise<void> {
    const { pipeline, holder, epoch, life } = this.#claim;
    const position = [pipeline, holder, epoch, life, window.number, phase, lastId];
    const { lower, upper } = window;
    const marks = [lower.snapshot, lower.topId, lower.nextXid, upper.snapshot, upper.topId, upper.nextXid];
    const known = window.number === this.#savedWindow;
    try {
      const saved = known
        ? await this.#db.query<ClaimVerdict>(SAVE_POSITION, position, { prepare: true })
        : await this.#db.query<ClaimVerdict>(SAVE_WINDOW, [...position, ...marks], { prepare: true });
      checkClaim(this.#claim, saved, "its position was");
    } catch (error) {
      throw queryError(error);
    }
    this.#savedWindow = window.number;
  }
}
