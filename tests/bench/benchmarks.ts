/**
 * The benchmarks by name, in the order in which they run.
 *
 * @module
 */

import { measureCodecs } from "./codecs.ts";
import type { BenchContext } from "./context.ts";
import { measureDeadLetters } from "./dead_letters.ts";
import { measureDrain, measureStart } from "./drain.ts";
import { measureIdleCost, measureIdleLatency } from "./idle.ts";
import { measurePublishCost } from "./publish_cost.ts";
import type { Result } from "./results.ts";
import { measureSecure } from "./secure.ts";
import { measureSteady } from "./steady.ts";
import { measureTopics } from "./topics.ts";
import { measureValues } from "./values.ts";

type Benchmark = (context: BenchContext) => Promise<Result[]>;

/** Each measures alone: nothing else runs beside it. */
export const BENCHMARKS = {
  publish: measurePublishCost,
  idle_cost: measureIdleCost,
  idle: measureIdleLatency,
  start: measureStart,
  steady: measureSteady,
  drain: measureDrain,
  codecs: measureCodecs,
  values: measureValues,
  topics: measureTopics,
  secure: measureSecure,
  dead_letters: measureDeadLetters,
} as const satisfies Readonly<Record<string, Benchmark>>;

/** What `--only` takes. */
export type BenchmarkName = keyof typeof BENCHMARKS;

/** Whether there is a benchmark of this name. */
export function isBenchmarkName(name: string): name is BenchmarkName {
  return Object.hasOwn(BENCHMARKS, name);
}
