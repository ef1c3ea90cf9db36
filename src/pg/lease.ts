/**
 * Leases, by conditional updates: no state of a session, so that they work behind any pooler.
 *
 * @module
 */

import type { Lease } from "../run/mod.ts";
import type { Database } from "./database.ts";
import { readStatement } from "./statement.ts";

const ACQUIRE_LEASE = readStatement("acquire_lease");
const RENEW_LEASE = readStatement("renew_lease");
const RELEASE_LEASE = readStatement("release_lease");

/** The lease of one pipeline, for one relay. */
export class PostgresLease implements Lease {
  readonly #db: Database;
  readonly #pipeline: string;
  readonly #holder: string;

  constructor(db: Database, pipeline: string, holder: string) {
    this.#db = db;
    this.#pipeline = pipeline;
    this.#holder = holder;
  }

  async tryAcquire(leaseMs: number): Promise<number | null> {
    const parameters = [this.#pipeline, this.#holder, leaseMs];
    const [row] = await this.#db.query<{ epoch: string }>(ACQUIRE_LEASE, parameters, PREPARED);
    return row === undefined ? null : Number(row.epoch);
  }

  async renew(epoch: number, leaseMs: number): Promise<boolean> {
    const parameters = [this.#pipeline, this.#holder, epoch, leaseMs];
    return (await this.#db.query(RENEW_LEASE, parameters, PREPARED)).length === 1;
  }

  async release(epoch: number): Promise<void> {
    await this.#db.query(RELEASE_LEASE, [this.#pipeline, this.#holder, epoch]);
  }
}

/** Parsed once for each connection. */
const PREPARED = { prepare: true };
