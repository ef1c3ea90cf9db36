/**
 * The ack stage's port, over PostgreSQL: positions are appended, and fenced by the lease's epoch.
 *
 * @module
 */

import type { OffsetStore } from "../ack/mod.ts";
import { FencedError } from "../base/errors.ts";
import type { Position } from "../record/position.ts";
import type { Database } from "./database.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const SAVE_POSITION = readStatement("save_position");
const SAVE_WINDOW = readStatement("save_window");

/** Saves the positions of one pipeline for as long as `epoch` holds its lease. */
export class PostgresOffsetStore implements OffsetStore {
  readonly #db: Database;
  readonly #pipeline: string;
  readonly #epoch: number;
  #savedWindow: number;

  /** @param savedWindow the window of the saved position, or 0 when there is none */
  constructor(db: Database, pipeline: string, epoch: number, savedWindow: number) {
    this.#db = db;
    this.#pipeline = pipeline;
    this.#epoch = epoch;
    this.#savedWindow = savedWindow;
  }

  async save({ window, phase, lastId }: Position): Promise<void> {
    const position = [this.#pipeline, this.#epoch, window.number, phase, lastId];
    const known = window.number === this.#savedWindow;
    const { lower, upper } = window;
    const marks = [lower.snapshot, lower.topId, lower.nextXid, upper.snapshot, upper.topId, upper.nextXid];
    try {
      const saved = known
        ? await this.#db.sql.unsafe(SAVE_POSITION, position, { prepare: true })
        : await this.#db.sql.unsafe(SAVE_WINDOW, [...position, ...marks], { prepare: true });
      if (saved.length === 0) {
        throw new FencedError(`The lease of ${this.#pipeline} is lost: its position was not saved`);
      }
    } catch (error) {
      throw queryError(error);
    }
    this.#savedWindow = window.number;
  }
}
