/**
 * The relay's adapters over a real database, without a relay: one outbox, one pipeline, one lease.
 *
 * ```ts
 * sessionTest("a mark tells the last id", async (tide) => {
 *   await tide.publish({ payload: { n: 1 }, dedup_key: "k" });
 *   const { source } = await tide.openOutbox();
 *   assert.equal((await source.mark()).topId, 1);
 * });
 * ```
 *
 * @module
 */

import { type Logger, SILENT } from "../../src/base/telemetry.ts";
import { PostgresCatalog } from "../../src/pg/catalog.ts";
import { connect, type Database } from "../../src/pg/database.ts";
import { PostgresPipelineStore } from "../../src/pg/pipeline_store.ts";
import type { PageLimit, PageSource } from "../../src/read/mod.ts";
import type { Page } from "../../src/record/page.ts";
import type { Mark, Phase, Window } from "../../src/record/position.ts";
import type { Json } from "../../plugins/sdk/mod.ts";
import type { OutboxSession, PipelineSpec } from "../../src/run/mod.ts";
import { type PostgresMajor, type SharedPostgres, sharedPostgres } from "./postgres.ts";
import { POSTGRES_VERSIONS, type TideDatabase, tideDatabase } from "./tide_database.ts";

/** A message as `tide.outbox_publish_many` takes it. */
export interface Publication {
  readonly payload: Json;
  readonly dedup_key?: string | null;
  readonly op?: string;
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly previous?: Json;
}

/** What may differ from session to session. */
export interface TideSessionOptions {
  /** @default "auto" */
  readonly wakeup?: "auto" | "notify" | "poll";
  /** @default 24 */
  readonly retentionHours?: number;
  readonly config?: Readonly<Record<string, Json>>;
  /** The versions that {@link sessionTest} runs on, where they make no difference. @default POSTGRES_VERSIONS */
  readonly versions?: readonly PostgresMajor[];
}

/** One version, for what does not depend on it. */
export const NEWEST = [18] as const;

/** The name of the outbox. */
export const OUTBOX = "orders";
/** The name of the pipeline. */
export const PIPELINE = "orders-out";
const GROUP = "g";
const LEASE_MS = 60_000;

/** A test that runs on each of {@link POSTGRES_VERSIONS}, in a database of its own. */
export function sessionTest(
  title: string,
  body: (tide: TideSession) => Promise<void>,
  options: TideSessionOptions = {},
): void {
  for (const version of options.versions ?? POSTGRES_VERSIONS) {
    Deno.test(`${title} (PostgreSQL ${version})`, async () => {
      await using tide = await TideSession.open(await sharedPostgres(version), options);
      await body(tide);
    });
  }
}

/** The mark before all messages. */
export const BEFORE_ALL: Mark = { snapshot: "3:3:", topId: 0, nextXid: "3" };

/** A database of its own, and a relay's connections to it. */
export class TideSession implements AsyncDisposable {
  readonly database: TideDatabase;
  readonly db: Database;

  private constructor(database: TideDatabase, db: Database) {
    this.database = database;
    this.db = db;
  }

  static async open(server: SharedPostgres, options: TideSessionOptions = {}): Promise<TideSession> {
    const { wakeup = "auto", retentionHours = 24, config = {} } = options;
    const database = await tideDatabase(server);
    await database.sql`
      SELECT tide.outbox_create(${OUTBOX}, wakeup => ${wakeup}, retention_hours => ${retentionHours})`;
    await configure(database, config);
    return new TideSession(database, await connect({ url: database.url }));
  }

  /** Set the pipeline's configuration. */
  configure(config: Readonly<Record<string, Json>>): Promise<void> {
    return configure(this.database, config);
  }

  /** Publish in one transaction; returns the ids. */
  async publish(...messages: readonly Publication[]): Promise<number[]> {
    const [row] = await this.database.sql<{ ids: string[] }[]>`
      SELECT tide.outbox_publish_many(${OUTBOX}, (${JSON.stringify(messages)}::text)::jsonb)::text[] AS ids`;
    return row!.ids.map(Number);
  }

  /** The pipeline as the catalog shows it now. */
  async spec(): Promise<PipelineSpec> {
    const [spec] = await new PostgresCatalog(this.db, { name: "tests", version: "0" }).load();
    return spec!;
  }

  /** The store of a pipeline, for a relay of that name. */
  store(
    holder = "relay",
    { adopt = false, log = SILENT }: { adopt?: boolean; log?: Logger } = {},
    pipeline = PIPELINE,
  ) {
    return new PostgresPipelineStore({ db: this.db, pipeline, holder, adopt, log });
  }

  /** Take the lease. */
  async acquire(holder = "relay"): Promise<number> {
    const epoch = await this.store(holder).lease.tryAcquire(LEASE_MS);
    if (epoch === null) throw new Error("Cannot take the lease: another relay has it");
    return epoch;
  }

  /** Take the lease from whoever has it, as if its time were over. */
  async takeOver(holder: string): Promise<number> {
    await this.database.sql`UPDATE tide.lease SET expires_at = '-infinity' WHERE pipeline = ${PIPELINE}`;
    return await this.acquire(holder);
  }

  /** Open the outbox under a lease, which is taken over unless it is given. */
  async openOutbox(epoch?: number, holder = "relay"): Promise<OutboxSession> {
    return await this.store(holder).openOutbox(await this.spec(), epoch ?? await this.takeOver(holder));
  }

  /** All saved positions, newest first. */
  async savedPositions(): Promise<SavedPosition[]> {
    return [
      ...await this.database.sql<SavedPosition[]>`
        SELECT window_number::integer AS window, phase, last_id::integer AS "lastId", epoch::integer
        FROM tide.position_log WHERE pipeline = ${PIPELINE} ORDER BY n DESC`,
    ];
  }

  async close(): Promise<void> {
    await this.db.close();
    await this.database.drop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A row of `tide.position_log`. */
export interface SavedPosition {
  readonly window: number;
  readonly phase: Phase;
  readonly lastId: number;
  readonly epoch: number;
}

async function configure(database: TideDatabase, config: Readonly<Record<string, Json>>): Promise<void> {
  const text = JSON.stringify({ sink_type: "stdout", ...config });
  await database
    .sql`SELECT tide.relay_set_outbox(${PIPELINE}, ${OUTBOX}, ${GROUP}, (${text}::text)::jsonb)`;
}

/** Read a phase of a window to its end. */
export async function readPhase(
  source: PageSource,
  window: Window,
  phase: Phase,
  limit: PageLimit = { rows: 4_000, bytes: 2 * 1024 * 1024 },
  afterId = 0,
): Promise<Page[]> {
  const pages: Page[] = [];
  for (let lastId = afterId;;) {
    const page = await source[phase](window, lastId, limit);
    if (page === null) return pages;
    lastId = page.ids[page.count - 1]!;
    pages.push(page);
  }
}
