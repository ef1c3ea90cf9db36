/**
 * What every benchmark gets.
 *
 * @module
 */

import type { SharedPostgres } from "../support/postgres.ts";
import type { Program } from "../support/relay_process.ts";
import type { Scale } from "./scale.ts";

/** The servers, the relay's program and the scale of a run. */
export interface BenchContext {
  readonly postgres: SharedPostgres;
  readonly brokers: string;
  /** The relay: from source or compiled. */
  readonly program: Program;
  readonly compiled: boolean;
  readonly scale: Scale;
  /** Lines for the native producer. */
  readonly payloadFile: string;
  /** For files of a benchmark; removed at the end. */
  readonly folder: string;
  /** Tell the user what is being done. */
  readonly progress: (line: string) => void;
}
