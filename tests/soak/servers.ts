/**
 * The servers of a soak: its own, or those that the user names.
 *
 * @module
 */

import { type SharedKafka, sharedKafka, startKafka } from "../support/kafka.ts";
import { type SharedPostgres, sharedPostgres, startPostgres } from "../support/postgres.ts";
import type { SoakOptions } from "./arguments.ts";

/** Running servers. */
export interface SoakServers extends AsyncDisposable {
  readonly kafka: SharedKafka;
  readonly postgres: SharedPostgres;
}

const POSTGRES_MAJOR = 18;

/** Start, or find, PostgreSQL and Kafka. */
export async function startServers({ brokers, postgresUrl }: SoakOptions): Promise<SoakServers> {
  await using stack = new AsyncDisposableStack();
  // As the tests name servers that they do not start.
  if (postgresUrl !== undefined) Deno.env.set(`TIDE_TEST_POSTGRES_${POSTGRES_MAJOR}_URL`, postgresUrl);
  if (brokers !== undefined) Deno.env.set("TIDE_TEST_KAFKA_BROKERS", brokers);
  const postgres = postgresUrl === undefined
    ? stack.use(await startPostgres({ version: POSTGRES_MAJOR }))
    : await sharedPostgres(POSTGRES_MAJOR);
  const kafka = brokers === undefined ? stack.use(await startKafka()) : await sharedKafka();
  const kept = stack.move();
  return { kafka, postgres, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
