/**
 * The flags of `pg-tide dlq …`, as texts and as what they mean.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { EXIT, messageOf, type Problem, UserError } from "../base/errors.ts";

/** Flags that say which dead letters are meant. */
export interface FilterFlags {
  readonly pipeline?: string;
  readonly id?: string;
  readonly code?: string;
  readonly before?: string;
}

/** The flags of `dlq list`. */
export interface ListFlags extends FilterFlags {
  readonly limit?: string;
  readonly after?: string;
  readonly json?: true;
}

/** The flags of `dlq retry`. */
export interface RetryFlags extends FilterFlags {
  readonly payload?: string;
  readonly rate?: string;
  readonly into?: string;
  readonly dryRun?: true;
  readonly wait?: true;
  readonly json?: true;
}

/** The flags of `dlq discard`. */
export interface DiscardFlags extends FilterFlags {
  readonly dryRun?: true;
  readonly json?: true;
}

/** The most that one call lists. */
const LIMIT_MAX = 10_000;

const RATE_MAX = 1_000_000;

const OPTIONS: Readonly<Record<string, readonly [flag: string, doc: string]>> = {
  pipeline: ["--pipeline <name>", "those of this pipeline"],
  id: ["--id <id>", "this one"],
  code: ["--code <code>", "those with this error code, such as MESSAGE_TOO_LARGE"],
  before: ["--before <time>", "those that failed last before this time, such as 2026-01-31T12:00:00Z"],
};

/** Add flags that say which dead letters are meant. */
export function addFilterOptions(command: Command, names: readonly (keyof FilterFlags)[]): Command {
  for (const name of names) command.addOption(new Option(...OPTIONS[name]!));
  return command;
}

/** Reads flags, and tells all that is wrong with them at once. */
export class FlagReader {
  readonly #problems: Problem[] = [];

  /** A text, or null. */
  text(value: string | undefined): string | null {
    return value ?? null;
  }

  /** The id of a dead letter or a retry, or null. */
  id(flag: string, value: string | undefined): number | null {
    return this.integer(flag, value, Number.MAX_SAFE_INTEGER);
  }

  /** How many at most are listed. */
  limit(value: string | undefined, preset: number): number {
    return this.integer("--limit", value, LIMIT_MAX) ?? preset;
  }

  /** Most letters a second, or null. */
  rate(value: string | undefined): number | null {
    return this.integer("--rate", value, RATE_MAX);
  }

  /** A whole number from 1 to `most`, or null. */
  integer(flag: string, value: string | undefined, most: number): number | null {
    if (value === undefined) return null;
    if (/^\d{1,16}$/.test(value) && Number(value) >= 1 && Number(value) <= most) return Number(value);
    return this.#refuse(flag, value, `a whole number from 1 to ${most}`);
  }

  /** A time with its zone, or null. */
  time(flag: string, value: string | undefined): string | null {
    if (value === undefined) return null;
    const shape = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d([.]\d{1,6})?)?(Z|[+-]\d\d:?\d\d)$/;
    if (shape.test(value) && !Number.isNaN(Date.parse(value))) return value;
    return this.#refuse(flag, value, "a time such as 2026-01-31T12:00:00Z");
  }

  /** The JSON text of a file, or of standard input for `-`; null without one. */
  async json(flag: string, path: string | undefined): Promise<string | null> {
    if (path === undefined) return null;
    try {
      const text = path === "-" ? await readInput() : await Deno.readTextFile(path);
      JSON.parse(text);
      return text;
    } catch (error) {
      return this.#refuse(
        flag,
        path,
        `a file that holds JSON, or - for standard input (${messageOf(error)})`,
      );
    }
  }

  /** Whether one of them is given. */
  need(isGiven: boolean, action: string, expected: string): void {
    if (isGiven) return;
    const message = `Cannot ${action} dead letters: nothing says which, expected ${expected}`;
    this.#problems.push({ field: "", message });
  }

  /** @throws {UserError} with all problems */
  finish(): void {
    if (this.#problems.length === 0) return;
    const problems = this.#problems;
    throw new UserError(problems.length === 1 ? problems[0]!.message : `${problems.length} flags are wrong`, {
      code: "FLAGS",
      advice: "Nothing was changed. --help shows all flags.",
      exitCode: EXIT.usage,
      problems,
    });
  }

  #refuse(flag: string, value: string, expected: string): null {
    const message = `Cannot use ${flag}: ${JSON.stringify(value)}, expected ${expected}`;
    this.#problems.push({ field: flag, message });
    return null;
  }
}

async function readInput(): Promise<string> {
  return await new Response(Deno.stdin.readable).text();
}
