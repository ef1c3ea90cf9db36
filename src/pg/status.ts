/**
 * The state of every pipeline, as a user sees it.
 *
 * @module
 */

import { EXIT, messageOf, UserError } from "../base/errors.ts";
import type { Database } from "./database.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const STATUS = readStatement("status");

/**
 * - `starting`: a relay is preparing it.
 * - `running`, `idle`: messages are being delivered; there are none.
 * - `waiting`: an outage is waited out. `blocked`: a person must act.
 * - `stopped`: no relay works on it, or a relay has found itself broken.
 * - `paused`: it is disabled.
 */
export type PipelineStateName =
  | "starting"
  | "running"
  | "idle"
  | "waiting"
  | "blocked"
  | "stopped"
  | "paused";

/** Why a pipeline does not deliver, or what else the operator should know; and what to do. */
export interface LastError {
  readonly code: string;
  readonly reason: string;
  readonly advice: string | null;
  /** In UTC, as ISO 8601; null when that is not known. */
  readonly since: string | null;
}

/** One pipeline, as `pg-tide status --json` prints it. */
export interface PipelineStatus {
  readonly name: string;
  readonly outbox: string;
  readonly group: string;
  readonly sink_type: string | null;
  readonly state: PipelineStateName;
  readonly lag_messages: number;
  readonly lag_seconds: number;
  readonly last_error: LastError | null;
  /** Messages that could not be delivered and wait for a person. No more than 10,000 are counted. */
  readonly dead_letters: number;
  /** What the operator should know although messages are delivered. */
  readonly warning: LastError | null;
  /** Those of them that somebody has asked to be sent again and whose turn has not come. */
  readonly dead_letters_retrying: number;
  /** Those that were dropped since the pipeline exists, because `dlq.retention_days` had passed. */
  readonly dead_letters_expired: number;
}

interface StatusRow {
  readonly name: string;
  readonly outbox: string;
  readonly group: string;
  readonly sink_type: string | null;
  readonly enabled: boolean;
  /** Whether a relay holds the lease. */
  readonly held: boolean;
  readonly state: string | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly advice: string | null;
  readonly since: string | null;
  readonly lag_messages: string;
  readonly lag_seconds: number;
  readonly dead_letters: number;
  readonly dead_letters_retrying: number;
  readonly dead_letters_expired: number;
}

/**
 * The state of all pipelines that the role may see.
 *
 * @throws {UserError} when the database does not say
 */
export async function readStatus(db: Database): Promise<readonly PipelineStatus[]> {
  try {
    return (await db.query<StatusRow>(STATUS)).map(statusOf);
  } catch (error) {
    const cause = queryError(error);
    if (cause instanceof UserError) throw cause;
    throw new UserError(`Cannot read the state of the pipelines: ${messageOf(cause)}`, {
      code: "STATUS_UNREADABLE",
      advice: "Check that the server runs, and try again.",
      exitCode: EXIT.unreachable,
      cause,
    });
  }
}

function statusOf(row: StatusRow): PipelineStatus {
  const { name, outbox, group, sink_type, dead_letters, dead_letters_retrying, dead_letters_expired } = row;
  const lag = { lag_messages: Number(row.lag_messages), lag_seconds: row.lag_seconds };
  const { state, last_error = null, warning = null } = stateOf(row);
  const letters = { dead_letters_retrying, dead_letters_expired };
  return { name, outbox, group, sink_type, state, ...lag, last_error, dead_letters, warning, ...letters };
}

function stateOf(
  row: StatusRow,
): Pick<PipelineStatus, "state"> & Partial<Pick<PipelineStatus, "last_error" | "warning">> {
  if (!row.enabled) return { state: "paused" };
  if (!row.held) return { state: "stopped", last_error: NO_RELAY };
  const { state, code, reason, advice, since } = row;
  const told = { code: code ?? "UNKNOWN", reason: reason ?? "", advice, since };
  switch (state) {
    case "running":
      return {
        state: row.lag_messages === "0" ? "idle" : "running",
        warning: code === null ? null : told,
      };
    case "waiting":
    case "blocked":
    case "stopped":
      return { state, last_error: told };
    default:
      return { state: "starting" };
  }
}

const NO_RELAY: LastError = {
  code: "NO_RELAY",
  reason: "No relay works on this pipeline",
  advice:
    "Start one: pg-tide --postgres-url postgresql://…; after a crash, the next one takes over within the lease time.",
  since: null,
};
