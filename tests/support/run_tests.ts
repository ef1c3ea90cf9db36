/**
 * `deno task ok`, `deno task test`, `deno task test:full`: runs a tier and prints, as its last line, what came of it.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import { join } from "node:path";
import { ROOT } from "./repository.ts";
import { plannedLayers, type Step, stepsOf, type Tier, WITHOUT_TESTS } from "./test_plan.ts";
import { startTestServers, type TestServers } from "./test_servers.ts";
import { runStep, type StepContext, type StepResult } from "./test_step.ts";

const USAGE = "Usage: deno run -A tests/support/run_tests.ts --tier=ok|test|full";
const STEP_LIMIT_MINUTES: Readonly<Record<Tier, number>> = { ok: 10, test: 25, full: 60 };

/** Kafka releases that the full tier runs its integration tests against, besides the newest. */
const OLDER_KAFKAS = ["3.9.2"];

async function main(args: readonly string[]): Promise<number> {
  const tier = tierOf(args);
  if (tier === undefined) {
    console.error(USAGE);
    return 2;
  }
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort());
  }
  const folder = await Deno.makeTempDir({ prefix: "pg-tide-reports-" });
  try {
    const results = await runTier(tier, folder, interrupt.signal);
    if (interrupt.signal.aborted) return 130;
    return conclude(results);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function tierOf(args: readonly string[]): Tier | undefined {
  const [argument, ...rest] = args;
  return (["ok", "test", "full"] as const).find((tier) => rest.length === 0 && argument === `--tier=${tier}`);
}

async function runTier(tier: Tier, folder: string, signal: AbortSignal): Promise<readonly StepResult[]> {
  const limitMs = STEP_LIMIT_MINUTES[tier] * 60_000;
  // kafkajs sets a timer to a negative time, harmlessly, and would print a warning in every test file.
  const env = { TIDE_TEST_TIER: tier, NODE_NO_WARNINGS: "1" };
  const context: StepContext = { env, signal, limitMs, folder };
  const steps = stepsOf(tier);
  const results = await runSteps(steps.filter(({ servers }) => !servers), context);
  const needy = steps.filter(({ servers }) => servers);
  if (needy.length > 0) results.push(...await withServers(needy, context));
  if (tier === "full") results.push(...await againstOlderKafkas(steps, context));
  return [...results, await unplannedFolders()];
}

async function runSteps(steps: readonly Step[], context: StepContext): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (const step of steps) {
    if (context.signal.aborted) break;
    console.log(`\n==> ${step.name}: deno ${step.args.join(" ")}`);
    results.push(await runStep(step, context));
  }
  return results;
}

async function withServers(
  steps: readonly Step[],
  context: StepContext,
  kafkaVersion?: string,
): Promise<StepResult[]> {
  if (context.signal.aborted) return [];
  console.log("\n==> servers: PostgreSQL 14 and 18 from npm, Apache Kafka from Maven");
  const started = performance.now();
  let servers: TestServers;
  try {
    servers = await startTestServers(kafkaVersion);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return [{ name: "servers", passed: 0, failed: 1, seconds: (performance.now() - started) / 1000 }];
  }
  await using _running = servers;
  return await runSteps(steps, { ...context, env: { ...context.env, ...servers.env } });
}

async function againstOlderKafkas(steps: readonly Step[], context: StepContext): Promise<StepResult[]> {
  const results: StepResult[] = [];
  const integration = steps.filter(({ name }) => name === "integration");
  for (const version of OLDER_KAFKAS) {
    const named = integration.map((step) => ({ ...step, name: `${step.name}-kafka-${version}` }));
    results.push(...await withServers(named, context, version));
  }
  return results;
}

/** A folder that no tier runs would be believed to be tested. */
async function unplannedFolders(): Promise<StepResult> {
  const folders = await Array.fromAsync(Deno.readDir(join(ROOT, "tests")));
  const known = new Set([...plannedLayers(), ...WITHOUT_TESTS]);
  const unplanned = folders.map(({ name }) => name).filter((name) => !known.has(name));
  const result = { name: "plan", seconds: 0 };
  if (unplanned.length === 0) return { ...result, passed: 1, failed: 0 };
  return { ...result, passed: 0, failed: 1, remark: `tests/${unplanned.join(", tests/")} in no tier` };
}

function conclude(results: readonly StepResult[]): number {
  console.log();
  for (const { name, passed, failed, seconds, remark } of results) {
    const counts = `${passed} passed, ${failed} failed`.padEnd(26);
    console.log(
      `${name.padEnd(24)} ${counts} ${seconds.toFixed(1).padStart(7)} s${remark ? `  ${remark}` : ""}`,
    );
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
