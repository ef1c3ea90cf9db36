/**
 * `deno task demo`: a message from a transaction to a topic, step by step, then a load with a crash in the middle.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import process from "node:process";
import { parseArguments } from "./arguments.ts";
import { runDemo } from "./demo.ts";
import { exitCodeOf, explain } from "./failure.ts";
import { Interrupt } from "./interrupt.ts";
import { allGood, jsonOf, tableOf } from "./report.ts";
import { Screen } from "./screen.ts";

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseArguments(args);
  if ("text" in parsed) {
    (parsed.exitCode === 0 ? console.log : console.error)(parsed.text);
    return parsed.exitCode;
  }
  const { options } = parsed;
  // kafkajs sets a timer to a negative time, harmlessly, and would print a warning.
  process.removeAllListeners("warning");
  const screen = new Screen(options.json ? Deno.stderr : Deno.stdout);
  using interrupt = new Interrupt((signal) => screen.line(`${signal}: stopping and cleaning up`));
  try {
    const figures = await runDemo(options, screen, interrupt.signal);
    screen.line(tableOf(figures));
    if (options.json) console.log(JSON.stringify(jsonOf(figures)));
    return allGood(figures) ? 0 : 1;
  } catch (error) {
    if (interrupt.exitCode === undefined) screen.line(explain(error));
    return interrupt.exitCode ?? exitCodeOf(error);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
