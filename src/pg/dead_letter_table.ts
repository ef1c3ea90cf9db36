/**
 * The table of dead letters.
 *
 * @module
 */

import type { DeadLetter, DeadLetterStore } from "../record/dead_letter.ts";
import { checkClaim, type Claim, type ClaimVerdict } from "./claim.ts";
import type { Database } from "./database.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const KEEP_DEAD_LETTERS = readStatement("keep_dead_letters");
const COUNT_DEAD_LETTERS = readStatement("count_dead_letters");

/** The outbox that dead letters come from, and the configuration under which they failed. */
export interface DeadLetterOrigin {
  readonly outbox: string;
  readonly outboxNumber: number;
  readonly incarnation: string;
  readonly revision: number;
}

/** Keeps the dead letters of one pipeline under a claim. */
export class DeadLetterTable implements DeadLetterStore {
  readonly #db: Database;
  readonly #claim: Claim;
  readonly #origin: DeadLetterOrigin;

  constructor(db: Database, claim: Claim, origin: DeadLetterOrigin) {
    this.#db = db;
    this.#claim = claim;
    this.#origin = origin;
  }

  async keep(letters: readonly DeadLetter[]): Promise<void> {
    const { pipeline, holder, epoch, life } = this.#claim;
    const { outbox, outboxNumber, incarnation, revision } = this.#origin;
    const text = JSON.stringify(letters.map(storable));
    const parameters = [pipeline, holder, epoch, life, outbox, outboxNumber, incarnation, text, revision];
    try {
      const kept = await this.#db.query<ClaimVerdict>(KEEP_DEAD_LETTERS, parameters, { prepare: true });
      checkClaim(this.#claim, kept, "its dead letters were");
    } catch (error) {
      throw queryError(error);
    }
  }

  async count(most: number): Promise<number> {
    try {
      const [row] = await this.#db.query<{ count: number }>(COUNT_DEAD_LETTERS, [this.#claim.pipeline, most]);
      return row!.count;
    } catch (error) {
      throw queryError(error);
    }
  }
}

/**
 * What PostgreSQL can store of a dead letter: half of a character at the end of a text that was cut, or a NUL in a key that is
 * not text, would be refused for ever.
 */
export function storable<T extends Pick<DeadLetter, "code" | "reason" | "topic" | "recordKey">>(
  letter: T,
): T {
  const { code, reason, topic, recordKey } = letter;
  return {
    ...letter,
    code: cleaned(code),
    reason: cleaned(reason),
    topic: topic === null ? null : cleaned(topic),
    recordKey: recordKey === null ? null : cleaned(recordKey),
  };
}

function cleaned(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}
