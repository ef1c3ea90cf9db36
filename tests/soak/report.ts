/**
 * What came of a soak, for a person and for a program.
 *
 * @module
 */

import { ROUND_KINDS } from "./rounds.ts";
import type { Tally } from "./soak.ts";

/** The object that programs rely on. */
export function jsonOf(tally: Tally): Readonly<Record<string, unknown>> {
  const { ended, exact, faults, records, repeated, retries, rounds, violation } = tally;
  return {
    rounds: Object.fromEntries(rounds),
    records,
    faults: Object.fromEntries(faults),
    retries,
    generations_ended: ended,
    duplicates: repeated,
    exactly_once_rounds: exact,
    good: violation === undefined,
    ...(violation === undefined
      ? { lost: 0, out_of_order: 0 }
      : { seed: violation.seed, error: messageOf(violation.error) }),
  };
}

/** A table, and a last line that says it in one sentence. */
export function tableOf(tally: Tally): string {
  const { ended, exact, faults, records, repeated, retries, rounds, violation } = tally;
  const kinds = ROUND_KINDS.filter((kind) => rounds.has(kind));
  const rows: readonly (readonly [name: string, value: number, remark: string])[] = [
    ["rounds", sumOf(rounds), kinds.map((kind) => `${rounds.get(kind)} ${kind}`).join(", ")],
    ["records", records, ""],
    ["faults", sumOf(faults), [...faults].map(([kind, count]) => `${count} ${kind}`).join(", ")],
    ["retries", retries, "batches that were sent again"],
    ["given again", ended, "times that a fault reached the relay"],
    ["duplicates", repeated, `where they may be; ${exact} rounds had to be without any`],
  ];
  const lines = rows.map(([name, value, remark]) =>
    `  ${name.padEnd(12)}${value.toLocaleString("en").padStart(12)}   ${remark}`.trimEnd()
  );
  return [...lines, "", ...violation === undefined ? GOOD : badOf(violation)].join("\n");
}

const GOOD = ["  Nothing was lost, nothing was out of order, and nothing stood twice where it must not."];

function badOf({ error, seed }: NonNullable<Tally["violation"]>): readonly string[] {
  return [
    messageOf(error),
    "",
    `  A promise was broken. To see it again: deno task soak --rounds 1 --seed ${seed}`,
  ];
}

/** What an error and its causes say. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, message } = error;
  return cause === undefined ? message : `${message}\n${messageOf(cause)}`;
}

function sumOf(counts: ReadonlyMap<unknown, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
