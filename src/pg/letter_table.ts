/**
 * Dead letters that are sent again, in PostgreSQL.
 *
 * @module
 */

import { LIMITS } from "../base/limits.ts";
import type { Logger } from "../base/telemetry.ts";
import { SourceError } from "../read/mod.ts";
import type {
  LetterLimit,
  LetterPage,
  Refusal,
  RetryRequest,
  RetryStore,
  SettledLetter,
} from "../record/letter.ts";
import { ANOTHER_LIFE, checkClaim, type Claim, type ClaimVerdict } from "./claim.ts";
import type { Database, Parameter } from "./database.ts";
import { type DeadLetterOrigin, storable } from "./dead_letter_table.ts";
import { decodeMessages, type PageRow } from "./page_decoder.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const NEXT_RETRY = readStatement("next_retry");
const READ_LETTERS = readStatement("read_letters");
const SETTLE_LETTERS = readStatement("settle_letters");
const FINISH_RETRY = readStatement("finish_retry");

const PREPARED = { prepare: true };
const DECODER = new TextDecoder();

/** What became of a request; NULLs when it was called off meanwhile. */
interface Finished extends ClaimVerdict {
  readonly letters: string | null;
  readonly delivered: string | null;
  readonly filtered: string | null;
  readonly refused: string | null;
}

/** The dead letters that one pipeline sends again, under a claim. */
export class LetterTable implements RetryStore {
  readonly #db: Database;
  readonly #claim: Claim;
  readonly #origin: DeadLetterOrigin;
  readonly #log: Logger;

  constructor(db: Database, claim: Claim, origin: DeadLetterOrigin, log: Logger) {
    this.#db = db;
    this.#claim = claim;
    this.#origin = origin;
    this.#log = log;
  }

  async next(): Promise<RetryRequest | null> {
    const parameters = [this.#claim.pipeline, this.#origin.outboxNumber];
    const [row] = await this.#ask(() =>
      this.#db.query<{ id: string; rate: number | null }>(NEXT_RETRY, parameters)
    );
    return row === undefined ? null : { id: Number(row.id), rate: row.rate };
  }

  async read(
    { id }: RetryRequest,
    afterId: number,
    { rows, bytes }: LetterLimit,
  ): Promise<LetterPage | null> {
    const values = await this.#ask(() =>
      this.#db.queryBytes(READ_LETTERS, [id, afterId, rows, bytes], PREPARED)
    );
    const [n, payloads, ids, times, ops, keys, keyLengths, headers, previous, ...own] = values;
    const [letters, edits, retries, incarnations, readAt, life] = own.map((value) =>
      DECODER.decode(value ?? EMPTY)
    );
    if (life !== this.#claim.life) throw new SourceError(ANOTHER_LIFE);
    const row = { n, payloads, ids, times, ops, keys, keyLengths, headers, previous } as PageRow;
    const page = decodeMessages(row);
    if (page === null) return null;
    const editCounts = numbers(edits!);
    return {
      page: {
        ...page,
        resent: {
          incarnations: incarnations!.split(","),
          retries: Uint32Array.from(numbers(retries!), (retry) => retry + 1),
        },
      },
      letters: numbers(letters!).map((letter, i) => ({ id: letter, edits: editCounts[i]! })),
      readAt: readAt!,
    };
  }

  async settle({ id }: RetryRequest, settled: readonly SettledLetter[]): Promise<void> {
    const done = settled.filter(({ outcome }) => typeof outcome === "string");
    const filtered = done.filter(({ outcome }) => outcome === "filtered").length;
    const refused = settled.filter(isRefused);
    const verdict = await this.#write<ClaimVerdict>(SETTLE_LETTERS, [
      id,
      this.#origin.revision,
      done.length - filtered,
      `{${done.map(({ letter }) => letter.id).join()}}`,
      `{${done.map(({ letter }) => letter.edits).join()}}`,
      JSON.stringify(
        refused.map(({ letter, readAt, outcome }) => ({ ...letter, readAt, ...storable(cut(outcome)) })),
      ),
      filtered,
      refused.length,
    ]);
    checkClaim(this.#claim, verdict, "what became of its dead letters was");
  }

  async finish({ id }: RetryRequest): Promise<void> {
    const verdicts = await this.#write<Finished>(FINISH_RETRY, [id]);
    checkClaim(this.#claim, verdicts, "the end of its retry was");
    const [{ letters, delivered, filtered, refused }] = verdicts as [Finished];
    const counts = { retry: id, letters, delivered, filtered, refused };
    if (letters === null) {
      this.#log.info("Dead letters are not sent again any more: that was called off", { retry: id });
    } else if (refused === "0") this.#log.info("Dead letters were sent again", counts);
    else this.#log.warn("Dead letters were sent again, and some were refused again", counts);
  }

  #write<Row>(statement: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    const { pipeline, holder, epoch, life } = this.#claim;
    const all = [pipeline, holder, epoch, life, ...parameters];
    return this.#ask(() => this.#db.query<Row>(statement, all, PREPARED));
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw queryError(error);
    }
  }
}

const EMPTY = new Uint8Array(0);

/** A letter that stays. */
interface RefusedLetter extends SettledLetter {
  readonly outcome: Refusal;
}

function isRefused(settled: SettledLetter): settled is RefusedLetter {
  return typeof settled.outcome !== "string";
}

function cut(refusal: Refusal): Refusal {
  return { ...refusal, reason: refusal.reason.slice(0, LIMITS.textMax) };
}

/** Whole numbers with commas between them. */
function numbers(text: string): number[] {
  return text.split(",").map(Number);
}
