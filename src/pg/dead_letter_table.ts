/**
 * The table of dead letters.
 *
 * @module
 */

import { FencedError } from "../base/errors.ts";
import type { DeadLetter, DeadLetterStore } from "../record/dead_letter.ts";
import type { Database } from "./database.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const KEEP_DEAD_LETTERS = readStatement("keep_dead_letters");

/** Whose dead letters these are. */
export interface DeadLetterOrigin {
  readonly pipeline: string;
  readonly outbox: string;
  readonly outboxNumber: number;
  readonly incarnation: string;
}

/** Keeps the dead letters of one pipeline for as long as `epoch` holds its lease. */
export class DeadLetterTable implements DeadLetterStore {
  readonly #db: Database;
  readonly #origin: DeadLetterOrigin;
  readonly #epoch: number;

  constructor(db: Database, origin: DeadLetterOrigin, epoch: number) {
    this.#db = db;
    this.#origin = origin;
    this.#epoch = epoch;
  }

  async keep(letters: readonly DeadLetter[]): Promise<void> {
    const { pipeline, outbox, outboxNumber, incarnation } = this.#origin;
    const parameters = [pipeline, this.#epoch, outbox, outboxNumber, incarnation, JSON.stringify(letters)];
    try {
      const [row] = await this.#db.sql.unsafe<{ held: number }[]>(KEEP_DEAD_LETTERS, parameters, {
        prepare: true,
      });
      if (row?.held !== 1) {
        throw new FencedError(`The lease of ${pipeline} is lost: its dead letters were not kept`);
      }
    } catch (error) {
      throw queryError(error);
    }
  }
}
