/**
 * Whether what is saved belongs to this server's numbering.
 *
 * After a restore, a failover or a crash PostgreSQL may give transaction ids and message ids out again. A position from
 * another numbering would make new messages look as if they had been read, so this is asked before anything is.
 *
 * @module
 */

import { EXIT, UserError } from "../base/errors.ts";
import type { Logger } from "../base/telemetry.ts";
import type { Database } from "./database.ts";
import { readStatement } from "./statement.ts";

const CHECK_NUMBERING = readStatement("check_numbering");

type Verdict = "ok" | "adopted" | "foreign" | "clone" | "standby";

/** Who asks. */
export interface NumberingCheck {
  readonly holder: string;
  /** Whether to go on although the database seems to be a copy of one that other relays work on. */
  readonly adopt: boolean;
  readonly log: Logger;
}

/**
 * Check the numbering, and adopt one that is safe.
 *
 * @returns the life of the server in which that was so: what is read and written must be of the same
 * @throws {UserError} when nothing may be read or moved
 */
export async function checkNumbering(db: Database, { holder, adopt, log }: NumberingCheck): Promise<string> {
  const [row] = await db.query<{ verdict: Verdict; detail: string; sequencesMoved: string; life: string }>(
    CHECK_NUMBERING,
    [holder, adopt],
  );
  const { verdict, detail, sequencesMoved, life } = row!;
  if (sequencesMoved !== "{}") {
    log.warn("Ids were behind the messages and were moved on", { outboxes: sequencesMoved });
  }
  if (verdict === "ok") return life;
  if (verdict === "adopted") {
    log.warn(
      "The database has moved to another server or timeline. Messages after the fork may be in the sink without being in the database",
      { changed: detail },
    );
    return life;
  }
  throw refusal(verdict, detail);
}

function refusal(verdict: Exclude<Verdict, "ok" | "adopted">, detail: string): UserError {
  const { message, advice } = REFUSALS[verdict];
  return new UserError(`${message}: ${detail}`, {
    code: `NUMBERING_${verdict.toUpperCase()}`,
    advice,
    exitCode: EXIT.usage,
  });
}

const REFUSALS = {
  foreign: {
    message:
      "Cannot read: the database was restored into a server whose transaction ids are behind, so that new " +
      "messages would look as if they had been delivered",
    advice:
      "Nothing was read or moved. Move the server's transaction ids beyond that number: stop it and run " +
      "pg_resetwal --next-transaction-id, or restore the database on a copy of its old server (pg_basebackup).",
  },
  clone: {
    message: "Cannot read: the database seems to be a copy of one that other relays deliver from",
    advice:
      "If it is not a copy but has moved (pg_upgrade, dump and restore), start the relay once with --adopt. " +
      "A copy must not deliver: disable its pipelines.",
  },
  standby: {
    message: "Cannot read",
    advice: "Connect to the primary: a standby cannot tell which transactions are open.",
  },
} as const;
