/**
 * Runs one step of a tier and counts.
 *
 * @module
 */

import { join } from "node:path";
import { ignoreNotFound } from "./cache.ts";
import { type Counts, countsOf } from "./junit.ts";
import { ROOT } from "./repository.ts";
import type { Step } from "./test_plan.ts";

/** What a step needs besides its plan. */
export interface StepContext {
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the step. */
  readonly signal: AbortSignal;
  /** After so long the step is ended and has failed. */
  readonly limitMs: number;
  /** Where reports are written. */
  readonly folder: string;
}

/** How a step ended. */
export interface StepResult extends Counts {
  readonly name: string;
  readonly seconds: number;
  /** What is wrong besides the failed tests themselves. */
  readonly remark?: string;
}

/** Run a step; its output goes to the terminal as it comes. */
export async function runStep(step: Step, context: StepContext): Promise<StepResult> {
  const started = performance.now();
  const report = join(context.folder, `${step.name}.xml`);
  const args = step.folder === undefined ? [...step.args] : [...step.args, `--junit-path=${report}`];
  const limit = AbortSignal.timeout(context.limitMs);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { ...context.env },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    signal: AbortSignal.any([context.signal, limit]),
  }).output();
  const text = await Deno.readTextFile(report).catch(ignoreNotFound);
  const judged = judge(step, success, text === undefined ? undefined : countsOf(text));
  const late = limit.aborted ? { remark: `ended after ${context.limitMs / 60_000} minutes` } : {};
  return { name: step.name, seconds: (performance.now() - started) / 1000, ...judged, ...late };
}

/**
 * What a step's end counts as.
 *
 * @param counted by its report; undefined when it wrote none
 */
export function judge(
  step: Step,
  success: boolean,
  counted: Counts | undefined,
): Counts & { readonly remark?: string } {
  if (step.folder === undefined) return { passed: success ? 1 : 0, failed: success ? 0 : 1 };
  if (counted === undefined) return { passed: 0, failed: 1, remark: "no test ran" };
  if (counted.passed + counted.failed === 0) return { passed: 0, failed: 1, remark: "no test ran" };
  if (success || counted.failed > 0) return withSkips(success, counted);
  return { passed: counted.passed, failed: 1, remark: "failed outside of a test" };
}

function withSkips(success: boolean, counted: Counts): Counts & { readonly remark?: string } {
  return success && counted.failed > 0 ? { ...counted, remark: "tests were skipped" } : counted;
}
