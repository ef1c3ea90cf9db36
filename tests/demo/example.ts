/**
 * The page's complete example, step by step, and the record that comes of it.
 *
 * @module
 */

import { textOf, type TopicRecord } from "../support/consume.ts";
import {
  configureThePipeline,
  ORDERS_TABLE,
  PIPELINE,
  PUBLISH_MESSAGES,
  SET_UP_THE_OUTBOX,
  TOPIC,
} from "./complete_example.ts";
import type { DemoDatabase } from "./database.ts";
import { pause } from "./interrupt.ts";
import type { DemoRelay } from "./relay_process.ts";
import type { Screen } from "./screen.ts";
import type { DemoTopics } from "./topics.ts";

/** Where the example takes place. */
export interface ExamplePlace {
  readonly database: DemoDatabase;
  readonly topics: DemoTopics;
  readonly relay: DemoRelay;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

const ARRIVES_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Go through the example; the relay runs when this returns. @throws Error when the message does not arrive */
export async function runExample(place: ExamplePlace): Promise<void> {
  const { database, topics, relay, screen } = place;
  const topic = await topics.create(TOPIC, 1);
  // The scripts have transactions of their own, which the driver allows on a single connection only.
  const sql = database.connect(1);
  const run = async (title: string, script: string) => {
    screen.line(`\n${title}\n${indented(script)}`);
    await sql.unsafe(script).simple();
  };
  screen.line("\nThe complete example: one order, from a transaction to a Kafka topic");
  await run("0. The application's own table", ORDERS_TABLE);
  await run("1. Set up the outbox", SET_UP_THE_OUTBOX);
  await run("2. Publish messages from your application", PUBLISH_MESSAGES);
  await run("3. Configure the pipeline", configureThePipeline(topics.brokers, topic));
  screen.line("\n4. Start the relay");
  const command = `pg-tide --postgres-url "${withoutPassword(database.url)}"`;
  await screen.during(indented(command), () => relay.start(), () => indented(command));
  screen.line("\n5. Verify messages arrive");
  show(screen, topic, await firstRecord(place, topic));
}

async function firstRecord({ topics, relay, signal }: ExamplePlace, topic: string): Promise<TopicRecord> {
  const end = performance.now() + ARRIVES_WITHIN_MS;
  while (await topics.count(topic) === 0) {
    if (performance.now() > end) {
      const { state, last_error } = await relay.status(PIPELINE);
      const reason = last_error === null ? "" : `: ${last_error.reason}`;
      throw new Error(
        `Cannot show the record: nothing arrived, the pipeline is ${state}${reason}\n${await relay.log()}`,
      );
    }
    await pause(LOOK_EVERY_MS, signal);
  }
  const [record] = await topics.read(topic);
  return record!;
}

function show(screen: Screen, topic: string, record: TopicRecord): void {
  const { partition, offset, timestamp, key, value, headers } = textOf(record);
  const row = (name: string, text: string) => screen.line(`  ${name.padEnd(10)} ${text}`);
  row("topic", topic);
  row("partition", String(partition));
  row("offset", String(offset));
  row("timestamp", `${new Date(timestamp).toISOString()}, when it was published`);
  row("key", key ?? "null");
  Object.entries(headers).forEach(([name, text], i) => row(i === 0 ? "headers" : "", `${name}: ${text}`));
  row("value", value ?? "null");
}

function indented(text: string): string {
  return text.split("\n").map((line) => `    ${line}`).join("\n");
}

function withoutPassword(url: string): string {
  const shown = new URL(url);
  if (shown.password !== "") shown.password = "password";
  return shown.href;
}
