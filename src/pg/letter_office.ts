/**
 * Dead letters as an operator handles them: found, shown, sent again, thrown away. The functions of the schema do it; here is what they
 * say to a program.
 *
 * @module
 */

import { EXIT, messageOf, UserError } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import { errorCode, hintOf } from "./connect_error.ts";
import type { Database, Parameter } from "./database.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const LIST_LETTERS = readStatement("list_letters");
const SHOW_LETTER = readStatement("show_letter");
const RETRY_LETTERS = readStatement("retry_letters");
const SHOW_RETRIES = readStatement("show_retries");
const SUM_UP_LETTERS = readStatement("sum_up_letters");
const COUNT_LETTERS = "SELECT tide.dlq_count($1, $2, $3, $4)::double precision AS count";
const DISCARD_LETTERS = "SELECT tide.dlq_discard($1, $2, $3, $4)::double precision AS count";
const CANCEL_RETRY = "SELECT tide.dlq_cancel($1) AS cancelled";

/** Which dead letters are meant: those that match all that is given. */
export interface LetterFilter {
  readonly pipeline: string | null;
  readonly id: number | null;
  readonly code: string | null;
  /** A time as ISO 8601: those that failed last before it. */
  readonly before: string | null;
}

/** A dead letter without its contents, as `pg-tide dlq list --json` prints it. */
export interface ListedLetter {
  readonly id: number;
  readonly pipeline: string;
  readonly outbox: string;
  readonly message_id: number;
  readonly op: string;
  readonly stage: string;
  readonly failure: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly retries: number;
  /** What has asked for it to be sent again and is not done. */
  readonly retry: number | null;
  readonly topic: string | null;
  readonly record_key: string | null;
  readonly partition: number | null;
  readonly revision: number | null;
  readonly created_at: string;
  readonly first_failed_at: string;
  readonly failed_at: string;
}

/** A dead letter with its contents, all of them JSON texts as they are stored. */
export interface WholeLetter {
  /** Everything, as `pg-tide dlq show --json` prints it. */
  readonly letter: string;
  readonly headers: string | null;
  readonly payload: string;
  readonly edited_payload: string | null;
  readonly previous: string | null;
}

/** What is asked for. */
export interface RetryOrder extends LetterFilter {
  /** JSON text in place of the payload of one letter. */
  readonly payload: string | null;
  readonly rate: number | null;
  readonly into: string | null;
  readonly dryRun: boolean;
}

/** What came of it: the number to ask for it by, null when nothing was asked for, and how many letters that are. */
export interface RetryReceipt {
  readonly retry: number | null;
  readonly letters: number;
}

/** Something that was asked to be sent again, as `pg-tide dlq status --json` prints it. */
export interface ShownRetry {
  readonly retry: number;
  readonly pipeline: string;
  readonly source: string;
  readonly letter: number | null;
  readonly code: string | null;
  readonly before: string | null;
  readonly rate: number | null;
  readonly letters: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly refused: number;
  readonly waiting: number;
  readonly state: "open" | "finished" | "cancelled";
  readonly requested_by: string;
  readonly requested_at: string;
  readonly finished_at: string | null;
}

/** The dead letters of one pipeline with one code. */
export interface LetterSum {
  readonly pipeline: string;
  readonly code: string;
  readonly letters: number;
  readonly first_failed_at: string;
  readonly failed_at: string;
}

/** Every method throws a {@link UserError} when the database refuses or does not answer. */
export class LetterOffice {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Dead letters with ids above `after`, oldest first. */
  list(
    { pipeline, code, before }: Omit<LetterFilter, "id">,
    limit: number,
    after: number | null,
  ): Promise<readonly ListedLetter[]> {
    return this.#parsed<ListedLetter>(LIST_LETTERS, [pipeline, code, before, limit, after]);
  }

  /** One dead letter whole. */
  async show(id: number): Promise<WholeLetter> {
    const [row] = await this.#ask<WholeLetter>(SHOW_LETTER, [id]);
    return row!;
  }

  /** How many match. */
  async count(filter: LetterFilter): Promise<number> {
    return await this.#number(COUNT_LETTERS, filter);
  }

  /** Have those that match sent again. */
  async retry(order: RetryOrder): Promise<RetryReceipt> {
    const { pipeline, id, code, before, payload, rate, into, dryRun } = order;
    const parameters = [pipeline, id, code, before, payload, rate, into, dryRun];
    const [receipt] = await this.#ask<RetryReceipt>(RETRY_LETTERS, parameters);
    return receipt!;
  }

  /** Call off; whether it was not done yet. */
  async cancel(retry: number): Promise<boolean> {
    const [row] = await this.#ask<{ cancelled: boolean }>(CANCEL_RETRY, [retry]);
    return row!.cancelled;
  }

  /** Throw away those that match; how many those were. */
  async discard(filter: LetterFilter): Promise<number> {
    return await this.#number(DISCARD_LETTERS, filter);
  }

  /** What was asked to be sent again, newest first. */
  retries(pipeline: string | null, retry: number | null, limit: number): Promise<readonly ShownRetry[]> {
    return this.#parsed<ShownRetry>(SHOW_RETRIES, [pipeline, retry, limit]);
  }

  /** What the dead letters have failed of. */
  sums(pipeline: string | null): Promise<readonly LetterSum[]> {
    return this.#parsed<LetterSum>(SUM_UP_LETTERS, [pipeline]);
  }

  async #number(statement: string, { pipeline, id, code, before }: LetterFilter): Promise<number> {
    const [row] = await this.#ask<{ count: number }>(statement, [pipeline, id, code, before]);
    return row!.count;
  }

  /** Rows of one JSON text each. */
  async #parsed<Row>(statement: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    const rows = await this.#ask<Record<string, string>>(statement, parameters);
    return rows.map((row) => JSON.parse(Object.values(row)[0]!));
  }

  async #ask<Row>(statement: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    try {
      return await this.#db.query<Row>(statement, parameters, { withinMs: LIMITS.scanMs });
    } catch (error) {
      throw letterError(error);
    }
  }
}

/** The error to show instead of what the driver threw. */
function letterError(error: unknown): UserError {
  const code = errorCode(error);
  // Our own class: message and hint are written for users. Class 22 is a value that the server cannot read.
  if (code.startsWith("TD") || code.startsWith("22")) {
    return new UserError(
      code.startsWith("TD") ? messageOf(error) : `Cannot use a value: ${messageOf(error)}`,
      {
        code: `DEAD_LETTERS_${code}`,
        advice: hintOf(error),
        exitCode: EXIT.usage,
        cause: error,
      },
    );
  }
  if (code === "42501") {
    return new UserError(`Cannot handle dead letters: ${messageOf(error)}`, {
      code: "POSTGRES_NO_RIGHTS",
      advice:
        "Have an administrator run SELECT tide.grant_pipeline('outbox', 'role') for the role in the URL.",
      exitCode: EXIT.usage,
      cause: error,
    });
  }
  const cause = queryError(error);
  if (cause instanceof UserError) return cause;
  return new UserError(`Cannot handle dead letters: ${messageOf(cause)}`, {
    code: "DEAD_LETTERS_UNREACHABLE",
    advice: "Check that the server runs, and try again.",
    exitCode: EXIT.unreachable,
    cause,
  });
}
