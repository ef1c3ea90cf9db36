/**
 * `deno task soak`: the Kafka sink, and the whole relay, through faults by chance for as long as is asked. Exit code 1: a promise was broken,
 * and the last line says how to see it again.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import process from "node:process";
import { exitCodeOf, explain } from "../demo/failure.ts";
import { Interrupt } from "../demo/interrupt.ts";
import { parseArguments } from "./arguments.ts";
import { jsonOf, tableOf } from "./report.ts";
import { runRound } from "./rounds.ts";
import { startServers } from "./servers.ts";
import { soak } from "./soak.ts";

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseArguments(args);
  if ("text" in parsed) {
    (parsed.exitCode === 0 ? console.log : console.error)(parsed.text);
    return parsed.exitCode;
  }
  const { options } = parsed;
  // kafkajs sets a timer to a negative time, harmlessly, and would print a warning.
  process.removeAllListeners("warning");
  using interrupt = new Interrupt((signal) => console.error(`${signal}: stopping after this round`));
  try {
    await using servers = await startServers(options);
    const tally = await soak(options, {
      run: (seed) => runRound(seed, servers),
      signal: interrupt.signal,
      progress: (line) => console.error(line),
    });
    console.log(options.json ? JSON.stringify(jsonOf(tally)) : tableOf(tally));
    if (tally.violation !== undefined) return 1;
  } catch (error) {
    console.error(explain(error));
    return interrupt.exitCode ?? exitCodeOf(error);
  }
  return interrupt.exitCode ?? 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
