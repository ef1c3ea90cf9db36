/**
 * The servers that all test files of a run share.
 *
 * @module
 */

import type { KafkaServer } from "./kafka.ts";
import { startSecureKafka } from "./kafka_secure.ts";
import { type PostgresServer, SHARED_SETTINGS, startPostgres } from "./postgres.ts";

/** Running servers, and the environment by which test files find them. */
export interface TestServers extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Start PostgreSQL 14 and 18 and Kafka, one after the other: two cores start two JVMs slower than one by one.
 *
 * @param kafkaVersion the newest one by default
 * @throws MissingToolError when the machine lacks something
 */
export async function startTestServers(kafkaVersion?: string): Promise<TestServers> {
  const started: (PostgresServer | KafkaServer)[] = [];
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    const env: Record<string, string> = {};
    for (const version of [14, 18] as const) {
      const postgres = await startPostgres({ version, settings: SHARED_SETTINGS, durable: false });
      started.push(postgres);
      env[`TIDE_TEST_POSTGRES_${version}_URL`] = postgres.url();
    }
    const { kafka, descriptionFile } = await startSecureKafka(
      kafkaVersion === undefined ? {} : { version: kafkaVersion },
    );
    started.push(kafka);
    env["TIDE_TEST_KAFKA_BROKERS"] = kafka.brokers;
    env["TIDE_TEST_KAFKA_DATA"] = kafka.dataFolder;
    env["TIDE_TEST_KAFKA_VERSION"] = kafka.version;
    env["TIDE_TEST_KAFKA_SECURE"] = descriptionFile;
    return { env, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
