/**
 * Pages of messages, as they come out of PostgreSQL.
 *
 * @module
 */

import type { Column } from "@pg-tide/sdk";

/** Messages of an outbox in the order of their ids, as columns. */
export interface Page {
  /** Number of messages; at least one. */
  readonly count: number;
  /** Strictly rising, but for dead letters that are sent again. */
  readonly ids: Float64Array<ArrayBuffer>;
  /** When each was published, in milliseconds since 1970, with a fraction. */
  readonly createdMs: Float64Array<ArrayBuffer>;
  /** For each, an index into the SDK's `OPS`. */
  readonly ops: Uint8Array<ArrayBuffer>;
  readonly dedupKey: Column;
  /** JSON text; never NULL. */
  readonly payload: Column;
  /** The headers given at publish, as JSON text of an object of strings, or NULL. */
  readonly headers: Column;
  /** The previous row as JSON text, or NULL. */
  readonly previous: Column;
  /** Only of dead letters that are sent again. */
  readonly resent?: Resent;
}

/** What is particular about messages that were dead letters. */
export interface Resent {
  /** Of the outbox, when each was published: the first part of its `pg_tide_id`. */
  readonly incarnations: readonly string[];
  /** How often each was sent again, with this time. */
  readonly retries: Uint32Array;
}
