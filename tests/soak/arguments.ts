/**
 * The soak's command line.
 *
 * @module
 */

import { Command, CommanderError, InvalidArgumentError } from "commander";

/** What the soak is asked to do. */
export interface SoakOptions {
  /** For how long rounds are begun. */
  readonly minutes: number;
  /** At most so many rounds. */
  readonly rounds?: number;
  /** The first round's; the next ones count up from it. */
  readonly seed: number;
  /** Of a server to use instead of one of its own: a superuser's. */
  readonly postgresUrl?: string;
  /** Of a Kafka to use instead of one of its own. */
  readonly brokers?: string;
  readonly json: boolean;
}

/** What a command line came to: options, or a text to show and how to end. */
export type ParsedArguments =
  | { readonly options: SoakOptions }
  | { readonly text: string; readonly exitCode: 0 | 2 };

const MINUTES_MAX = 10_080;
const SEED_MAX = 0xffff_ffff;

const AFTER = `
Each round has a seed, which decides what happens to each request between the sink and the broker: cut, late, refused,
answered with an error, never answered, led by another broker. Every fourth round is the whole relay with PostgreSQL, killed
in the middle; the others are the sink, idempotent or not, in this process or in its Worker. All are checked by what the
topics hold at the end.

Without --postgres-url and --brokers, servers of its own are started, and removed at the end.

Exit codes: 0 every promise was kept, 1 one was broken, 2 usage, 3 a server cannot be reached, 130 and 143 ended by a signal.`;

/** Read the command line. */
export function parseArguments(args: readonly string[]): ParsedArguments {
  const written: string[] = [];
  const write = (text: string) => void written.push(text);
  const command = new Command("deno task soak")
    .description("Delivers through faults by chance, round after round, and checks every record.")
    .option("--minutes <number>", "begin rounds for so long", minutesOf, 10)
    .option("--rounds <number>", "at most so many rounds", countOf)
    .option("--seed <number>", "the first round's seed", seedOf, 1)
    .option("--postgres-url <url>", "a PostgreSQL 14 or newer to use, as a superuser", urlOf)
    .option("--brokers <list>", "a Kafka to use: host:port", brokersOf)
    .option("--json", "print one JSON object as the last line", false)
    .addHelpText("after", AFTER)
    .showHelpAfterError("Run deno task soak --help to see all options.")
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
  try {
    return { options: command.parse([...args], { from: "user" }).opts<SoakOptions>() };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { text: written.join("").trimEnd(), exitCode: error.exitCode === 0 ? 0 : 2 };
  }
}

function minutesOf(text: string): number {
  const minutes = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (minutes > 0 && minutes <= MINUTES_MAX) return minutes;
  throw new InvalidArgumentError(`Expected a number above 0, at most ${MINUTES_MAX}.`);
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1 to 999999.");
}

function seedOf(text: string): number {
  const seed = /^\d+$/.test(text) ? Number(text) : NaN;
  if (seed <= SEED_MAX) return seed;
  throw new InvalidArgumentError(`Expected a whole number from 0 to ${SEED_MAX}.`);
}

function urlOf(text: string): string {
  if (/^postgres(ql)?:\/\//.test(text)) return text;
  throw new InvalidArgumentError(
    "Expected a URL such as postgresql://user:password@localhost:5432/postgres.",
  );
}

function brokersOf(text: string): string {
  if (/^[^,]+:\d{1,5}$/.test(text)) return text;
  throw new InvalidArgumentError("Expected host:port, such as localhost:9092.");
}
