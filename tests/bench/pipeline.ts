/**
 * The pipelines that are measured, and the relay that runs them.
 *
 * @module
 */

import { lastLines } from "../support/command.ts";
import { RelayProcess } from "../support/relay_process.ts";
import type { TideDatabase } from "../support/tide_database.ts";
import type { BenchContext } from "./context.ts";
import type { Codec } from "./sending.ts";

/** A pipeline; its name is the outbox's, and acks is "all". */
export interface BenchPipeline {
  readonly outbox: string;
  readonly brokers: string;
  /** May be a template. */
  readonly topic: string;
  readonly batchSize: number;
  /** A group starts at the oldest message. @default "bench" */
  readonly group?: string;
  /** @default the design's own, zstd */
  readonly compression?: Codec;
  /** @default true */
  readonly idempotent?: boolean;
  /** @default the page's own, 10 */
  readonly lingerMs?: number;
}

/** Configure a pipeline; it stays disabled. */
export async function setPipeline(database: TideDatabase, pipeline: BenchPipeline): Promise<void> {
  const { outbox, brokers, topic, batchSize, lingerMs } = pipeline;
  const { compression = "zstd", group = "bench", idempotent = true } = pipeline;
  const config = {
    sink_type: "kafka",
    brokers,
    topic,
    acks: "all",
    compression,
    idempotent,
    batch_size: batchSize,
    ...(lingerMs === undefined ? {} : { linger_ms: lingerMs }),
  };
  await database.sql`SELECT tide.relay_set_outbox(${outbox}, ${outbox}, ${group}, ${
    JSON.stringify(config)
  }::text::jsonb)`;
}

/** Let the relay deliver a pipeline. */
export async function enablePipeline(database: TideDatabase, outbox: string): Promise<void> {
  await database.sql`SELECT tide.relay_enable(${outbox})`;
}

/** Take a pipeline away, and leave its outbox. */
export async function dropPipeline(database: TideDatabase, outbox: string): Promise<void> {
  await database.sql`SELECT tide.relay_delete(${outbox})`;
}

/** Take an outbox without a pipeline away. */
export async function dropOutbox(database: TideDatabase, outbox: string): Promise<void> {
  await database.sql`SELECT tide.outbox_drop(${outbox})`;
}

/** Start a relay on a database. */
export function startRelay({ program }: BenchContext, database: TideDatabase): Promise<RelayProcess> {
  return RelayProcess.start(program, ["--postgres-url", database.url]);
}

/** Wait for something that the relay must bring about. @throws what the task throws, with the end of the relay's log */
export async function expectOf(relay: RelayProcess, task: Promise<void>): Promise<void> {
  try {
    await task;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\nThe relay said:\n${lastLines(await relay.log())}`, { cause: error });
  }
}

/** Stop it as an operator would. @throws Error with its log when it does not end well */
export async function stopRelay(relay: RelayProcess): Promise<void> {
  const code = await relay.stop();
  if (code !== 0) {
    throw new Error(`Cannot measure: the relay ended with exit code ${code}\n${await relay.log()}`);
  }
}
