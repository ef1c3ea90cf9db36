/**
 * What a benchmark says: figures, what each is held against, and whether that is reached. Pure.
 *
 * Every ratio points the same way: 1 is as good as the baseline, more is better. For times, memory and processor time it
 * is therefore the baseline divided by the value. A goal is the ratio that is wanted, and below half of it the
 * benchmark fails: less than that is no noise of the machine.
 *
 * @module
 */

/** One figure. */
export interface Result {
  /** Stable: programs find a figure by it. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value is held against, in the same unit: a neighbour measured in the same run, or the design's figure. */
  readonly baseline: number | null;
  /** How good the value is beside the baseline; more is better. */
  readonly ratio: number | null;
  /** The ratio that is wanted. */
  readonly goal: number | null;
  /** How it was measured, and what the baseline is. */
  readonly note: string;
  /** The values of the single rounds, when `value` is their median. */
  readonly rounds: readonly number[];
}

/** Whether more or less of a unit is better. */
export type Better = "more" | "less";

/** What names a figure. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly note: string;
}

/** How a figure stands to its goal: `short` is below it, `failed` below half of it. */
export type Verdict = "reached" | "short" | "failed" | "no goal";

/** A figure held against a neighbour that was measured in the same run, round by round. */
export function besideNeighbour(
  figure: Figure,
  ours: readonly number[],
  neighbour: readonly number[],
  goal: number | null,
): Result {
  return resultOf(figure, ours, median(neighbour), goal);
}

/** A figure held against a fixed one: the goal is to be as good. */
export function besideTarget(figure: Figure, ours: readonly number[], target: number): Result {
  return resultOf(figure, ours, target, 1);
}

/** A figure that nothing is expected of. */
export function observed(figure: Figure, ours: readonly number[]): Result {
  return resultOf(figure, ours, null, null);
}

function resultOf(
  { name, unit, better, note }: Figure,
  rounds: readonly number[],
  baseline: number | null,
  goal: number | null,
): Result {
  const value = median(rounds);
  const ratio = baseline === null ? null : ratioOf(value, baseline, better);
  return { name, value, unit, baseline, ratio, goal, note, rounds };
}

/**
 * How good a value is beside a baseline; 1 is as good, more is better.
 *
 * @throws RangeError when one of them is no positive number: nothing was measured
 */
export function ratioOf(value: number, baseline: number, better: Better): number {
  for (const figure of [value, baseline]) {
    if (!(figure > 0 && figure < Infinity)) {
      throw new RangeError(`Cannot compare ${value} with ${baseline}: expected two positive numbers`);
    }
  }
  return better === "more" ? value / baseline : baseline / value;
}

/** How a figure stands to its goal. */
export function verdictOf({ ratio, goal }: Pick<Result, "ratio" | "goal">): Verdict {
  if (ratio === null || goal === null) return "no goal";
  if (ratio >= goal) return "reached";
  return ratio < goal / 2 ? "failed" : "short";
}

/** The exit code: 1 when a ratio is below half of its goal. */
export function exitCodeOf(results: readonly Result[]): 0 | 1 {
  return results.some((result) => verdictOf(result) === "failed") ? 1 : 0;
}

/** The middle value, or the mean of the two middle ones. @throws RangeError without values */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError("Cannot take the median of nothing");
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
}

/**
 * The smallest value that at least this share of all values does not exceed (the nearest-rank method: always a value that
 * was measured).
 *
 * @param sorted rising
 * @param share in (0, 1], such as 0.99
 * @throws RangeError without values
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new RangeError("Cannot take a percentile of nothing");
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
