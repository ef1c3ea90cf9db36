/**
 * `deno task bench`: measures the relay beside its neighbours, and says how far each goal is reached.
 *
 * `--json` prints one object, `{machine, quick, results: [{name, value, unit, baseline, ratio, goal, …}]}`; without it a
 * table. Progress goes to standard error. Exit code 1: a ratio is below half of its goal, or something could not be
 * measured; 2: a wrong argument.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { buildBinary } from "../support/binary.ts";
import { COMPILED, FROM_SOURCE } from "../support/relay_process.ts";
import { type BenchmarkName, BENCHMARKS, isBenchmarkName } from "./benchmarks.ts";
import type { BenchContext } from "./context.ts";
import { NativeProducer, writePayloadFile } from "./producer_perf.ts";
import { renderTable, type Report } from "./report.ts";
import { exitCodeOf, type Result } from "./results.ts";
import { designed } from "./sending.ts";
import { FULL, QUICK } from "./scale.ts";
import { describeMachine, type ServerChoice, startServers } from "./servers.ts";

const NAMES = Object.keys(BENCHMARKS).join(", ");

const USAGE = `Usage: deno task bench [options]

  --json               print one JSON object instead of a table
  --quick              short runs: a few minutes, more noise
  --binary             measure the compiled relay, dist/pg-tide, instead of the one from source
  --only NAME          one of ${NAMES}; may be given several times
  --postgres-url URL   a superuser's URL of a PostgreSQL to measure on, instead of an own one
  --brokers LIST       a Kafka to measure on, host:port,…, instead of an own one
  --help`;

const OPTIONS = {
  json: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  binary: { type: "boolean", default: false },
  only: { type: "string", multiple: true },
  "postgres-url": { type: "string" },
  brokers: { type: "string" },
  help: { type: "boolean", default: false },
} as const satisfies ParseArgsConfig["options"];

interface Choice extends ServerChoice {
  readonly json: boolean;
  readonly quick: boolean;
  readonly compiled: boolean;
  readonly only: readonly BenchmarkName[];
}

async function main(args: readonly string[]): Promise<number> {
  let choice: Choice | undefined;
  try {
    choice = choiceOf(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (choice === undefined) {
    console.log(USAGE);
    return 0;
  }
  // kafkajs sets a timer to a negative time, harmlessly, and Node's layer would say so between the lines of progress.
  process.removeAllListeners("warning");
  const report = await measure(choice);
  console.log(choice.json ? JSON.stringify(report) : renderTable(report));
  return exitCodeOf(report.results);
}

/** What the arguments ask for; undefined for help. @throws Error that names a wrong argument */
function choiceOf(args: readonly string[]): Choice | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  const only = values.only ?? Object.keys(BENCHMARKS);
  const unknown = only.filter((name) => !isBenchmarkName(name));
  if (unknown.length > 0) throw new Error(`Unknown benchmark "${unknown.join(", ")}", expected ${NAMES}`);
  return {
    json: values.json,
    quick: values.quick,
    compiled: values.binary,
    only: only.filter(isBenchmarkName),
    postgresUrl: values["postgres-url"],
    brokers: values.brokers,
  };
}

async function measure(choice: Choice): Promise<Report> {
  const relay = choice.compiled ? await compiledRelay() : `from source, Deno ${Deno.version.deno}`;
  progress("starting PostgreSQL and Kafka");
  await using servers = await startServers(choice);
  const folder = await Deno.makeTempDir({ prefix: "pg-tide-bench-" });
  try {
    const context: BenchContext = {
      postgres: servers.postgres,
      brokers: servers.brokers,
      program: choice.compiled ? COMPILED : FROM_SOURCE,
      compiled: choice.compiled,
      scale: choice.quick ? QUICK : FULL,
      payloadFile: await writePayloadFile(folder),
      folder,
      progress,
    };
    const machine = await describeMachine(servers, choice, relay);
    progress("warming up the broker with the native producer");
    await warmUp(context);
    const results: Result[] = [];
    for (const name of choice.only) results.push(...await BENCHMARKS[name](context));
    return { machine, quick: choice.quick, results };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A broker compiles its code while it runs: what is measured on a cold one is its compiler. */
async function warmUp({ brokers, payloadFile, scale }: BenchContext): Promise<void> {
  const sending = designed({ brokers, payloadFile, batchSize: 100 });
  const producer = await NativeProducer.calibrated({ ...sending, count: scale.backlog });
  await producer.send(scale.brokerWarmUp);
}

/** What the compiled relay is; compiles it when a source has changed. */
async function compiledRelay(): Promise<string> {
  progress("compiling dist/pg-tide, unless it is up to date");
  return `dist/pg-tide, Deno ${(await buildBinary()).deno}`;
}

function progress(line: string): void {
  console.error(`${(performance.now() / 1_000).toFixed(0).padStart(4)} s  ${line}`);
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
