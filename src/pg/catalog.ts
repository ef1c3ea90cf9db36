/**
 * The catalog of pipelines in the database, and the routine work on it.
 *
 * @module
 */

import type { Json } from "@pg-tide/sdk";
import type { Catalog, Expired, PipelineSpec } from "../run/mod.ts";
import type { Database } from "./database.ts";
import type { NotificationChannel } from "./notifications.ts";
import { queryError } from "./query_error.ts";
import { readStatement } from "./statement.ts";

const PIPELINES = readStatement("pipelines");
const ROTATE = readStatement("rotate");
const PRUNE_POSITIONS = readStatement("prune_positions");
const PRUNE_WINDOWS = readStatement("prune_windows");
const PRUNE_RETRIES = readStatement("prune_retries");
const EXPIRE_DEAD_LETTERS = readStatement("expire_dead_letters");
const REGISTER_RELAY = readStatement("register_relay");
const UNREGISTER_RELAY = readStatement("unregister_relay");

/** A relay, as it makes itself known. */
export interface RelayIdentity {
  readonly name: string;
  readonly version: string;
}

/** What `tide.outbox_rotate` did with one outbox. */
interface Rotated {
  readonly outbox?: string;
  readonly slots?: Readonly<Record<string, string>>;
  readonly advanced_to?: number | null;
}

type PipelineRow = Omit<PipelineSpec, "revision"> & { readonly revision: string; readonly config: Json };

/** The catalog, for one relay. */
export class PostgresCatalog implements Catalog {
  readonly #db: Database;
  readonly #relay: RelayIdentity;
  readonly #channel: NotificationChannel;
  #seen = 0;

  constructor(db: Database, relay: RelayIdentity) {
    this.#db = db;
    this.#relay = relay;
    this.#channel = db.channel("tide_config");
  }

  /** Make the relay known; it stays so until {@link PostgresCatalog.unregister}. */
  async register(): Promise<void> {
    await this.#db.query(REGISTER_RELAY, [this.#relay.name, this.#relay.version]);
  }

  /** The relay ends in order. */
  async unregister(): Promise<void> {
    await this.#db.query(UNREGISTER_RELAY, [this.#relay.name]);
  }

  async load(): Promise<readonly PipelineSpec[]> {
    // Before the query, so that a change during it is not missed.
    const seen = this.#channel.count;
    try {
      const rows = await this.#db.query<PipelineRow>(PIPELINES, [], { prepare: true });
      this.#seen = seen;
      return rows.map((row) => ({ ...row, revision: Number(row.revision) }));
    } catch (error) {
      throw queryError(error);
    }
  }

  async waitForChange(ms: number, signal: AbortSignal): Promise<boolean> {
    await this.#channel.wait(this.#seen, ms, signal);
    return this.#channel.count > this.#seen;
  }

  async maintain(): Promise<readonly string[]> {
    await this.register();
    const [row] = await this.#db.query<{ rotated: string }>(ROTATE);
    await this.#db.query(PRUNE_POSITIONS);
    await this.#db.query(PRUNE_WINDOWS);
    await this.#db.query(PRUNE_RETRIES);
    return (JSON.parse(row!.rotated) as readonly Rotated[]).flatMap(describeRotation);
  }

  async expire(): Promise<readonly Expired[]> {
    return await this.#db.query<Expired>(EXPIRE_DEAD_LETTERS);
  }
}

function describeRotation({ outbox, slots = {}, advanced_to: slot }: Rotated): string[] {
  if (outbox === undefined) return [];
  const emptied = Object.entries(slots).filter(([, done]) => done === "truncated").map(([number]) =>
    `Emptied slot ${number} of outbox ${outbox}: all delivered, and past retention`
  );
  return typeof slot === "number" ? [...emptied, `Outbox ${outbox} writes to slot ${slot} now`] : emptied;
}
