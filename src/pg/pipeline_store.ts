/**
 * A pipeline's place in the database.
 *
 * @module
 */

import type { Json } from "@pg-tide/sdk";
import { EXIT, FencedError, messageOf, UserError } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import type { Logger } from "../base/telemetry.ts";
import { SourceError } from "../read/mod.ts";
import type { Start } from "../read/mod.ts";
import type { Mark, Phase, Position } from "../record/position.ts";
import type { Lease, OutboxSession, PipelineReport, PipelineSpec, PipelineStore } from "../run/mod.ts";
import type { Claim } from "./claim.ts";
import { errorCode } from "./connect_error.ts";
import type { Database } from "./database.ts";
import { DeadLetterTable } from "./dead_letter_table.ts";
import { PostgresLease } from "./lease.ts";
import { LetterTable } from "./letter_table.ts";
import { checkNumbering } from "./numbering.ts";
import { PostgresOffsetStore } from "./offset_store.ts";
import { PostgresPageSource } from "./page_source.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const SAVED_POSITION = readStatement("saved_position");
const START_ID = readStatement("start_id");
const REPORT_STATE = readStatement("report_state");

/** The mark before all messages: nothing is visible in it, and no id was drawn. */
const BEFORE_ALL: Mark = { snapshot: "3:3:", topId: 0, nextXid: "3" };

/** What a store needs. */
export interface PipelineStoreOptions {
  readonly db: Database;
  readonly pipeline: string;
  /** The relay's name. */
  readonly holder: string;
  /** See `checkNumbering`. */
  readonly adopt: boolean;
  readonly log: Logger;
}

interface SavedRow {
  readonly incarnation: string;
  readonly held: boolean;
  readonly windowNumber: string | null;
  readonly phase: Phase;
  readonly lastId: string;
  readonly lowerSnapshot: string;
  readonly lowerTopId: string;
  readonly lowerNextXid: string;
  readonly upperSnapshot: string;
  readonly upperTopId: string;
  readonly upperNextXid: string;
}

/** One pipeline in PostgreSQL. */
export class PostgresPipelineStore implements PipelineStore {
  readonly lease: Lease;
  readonly #options: PipelineStoreOptions;

  constructor(options: PipelineStoreOptions) {
    this.#options = options;
    this.lease = new PostgresLease(options.db, options.pipeline, options.holder);
  }

  async openOutbox(spec: PipelineSpec, epoch: number): Promise<OutboxSession> {
    const { db, pipeline, holder, log } = this.#options;
    try {
      const life = await checkNumbering(db, this.#options);
      const claim: Claim = { pipeline, holder, epoch, life };
      const source = new PostgresPageSource(db, spec.outboxNumber, life);
      const saved = await this.#savedPosition(spec, claim);
      const offsets = new PostgresOffsetStore(db, claim, saved?.window.number ?? 0);
      const start = saved === null ? await this.#begin(spec, source, offsets) : { position: saved };
      const deadLetters = new DeadLetterTable(db, claim, spec);
      return { source, start, offsets, deadLetters, retries: new LetterTable(db, claim, spec, log) };
    } catch (error) {
      throw queryError(error);
    }
  }

  async report(epoch: number, { state, code, reason, advice }: PipelineReport): Promise<void> {
    const { db, pipeline } = this.#options;
    await db.query(REPORT_STATE, [pipeline, epoch, state, code, reason, advice]);
  }

  async #savedPosition(
    { outboxNumber, incarnation }: PipelineSpec,
    { pipeline, holder, epoch }: Claim,
  ): Promise<Position | null> {
    const parameters = [pipeline, outboxNumber, holder, epoch];
    const [row] = await this.#options.db.query<SavedRow>(SAVED_POSITION, parameters);
    // The catalog is read again within a second; the pipeline then starts anew, with the ids' new incarnation.
    if (row?.incarnation !== incarnation) {
      throw new SourceError("The outbox was made anew, or its ids start again");
    }
    // Nothing could be saved: a pipeline that was deleted and made again would deliver everything twice.
    if (!row.held) throw new FencedError(`The lease of ${pipeline} is lost`);
    return row.windowNumber === null ? null : positionOf(row, Number(row.windowNumber));
  }

  /**
   * Where a group starts that has no position. Anywhere but at the earliest message is saved at once: after a crash the group must
   * go on from there, not from a later "latest".
   */
  async #begin(
    { config, outboxNumber }: PipelineSpec,
    source: PostgresPageSource,
    offsets: PostgresOffsetStore,
  ): Promise<Start> {
    const start = startOf(config);
    if (start === "earliest") return { lower: BEFORE_ALL };
    const upper = await source.mark();
    const position: Position = start === "latest"
      ? { window: { number: 1, lower: upper, upper }, phase: "run", lastId: upper.topId }
      : {
        window: { number: 1, lower: BEFORE_ALL, upper },
        phase: "run",
        lastId: await this.#startId(outboxNumber, start),
      };
    await offsets.save(position);
    return { position };
  }

  async #startId(outbox: number, time: string): Promise<number> {
    try {
      const { db } = this.#options;
      const [row] = await db.query<{ id: string }>(START_ID, [outbox, time], { withinMs: LIMITS.scanMs });
      return Number(row!.id);
    } catch (error) {
      // Class 22: the text has the shape of a time and is none, such as the 31st of February.
      if (!errorCode(error).startsWith("22")) throw error;
      throw new UserError(`Cannot start at "${time}": ${messageOf(error)}`, {
        code: "CONFIGURATION",
        advice: "Correct `start` with tide.relay_set_outbox(…); the pipeline goes on by itself.",
        exitCode: EXIT.usage,
        cause: error,
      });
    }
  }
}

function positionOf(row: SavedRow, number: number): Position {
  const lower = { snapshot: row.lowerSnapshot, topId: Number(row.lowerTopId), nextXid: row.lowerNextXid };
  const upper = { snapshot: row.upperSnapshot, topId: Number(row.upperTopId), nextXid: row.upperNextXid };
  return { window: { number, lower, upper }, phase: row.phase, lastId: Number(row.lastId) };
}

/** The field `start` of a configuration that was parsed already. */
function startOf(config: Json): string {
  const start = typeof config === "object" && config !== null && "start" in config
    ? config["start"]
    : undefined;
  return typeof start === "string" ? start : "earliest";
}
