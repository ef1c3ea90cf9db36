/**
 * The command line: which commands there are, and how each ends.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import { EXIT, messageOf, UserError } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";
import { redactUrls } from "../config/redact.ts";
import { addDlqCommands } from "./dlq_commands.ts";
import { addSettingOptions } from "./options.ts";
import { install } from "./install.ts";
import { type Output, TERMINAL } from "./output.ts";
import { pluginInspect, pluginList, pluginTest } from "./plugin.ts";
import { run } from "./run.ts";
import { loadSettings } from "./settings.ts";
import { status } from "./status.ts";
import { VERSION } from "./version.ts";

const EXIT_HELP = `
Exit codes: 0 good, 1 failure, 2 usage or configuration, 3 a server cannot be reached,
130 and 143 ended by a second SIGINT or SIGTERM, or a first one while waiting for a retry.`;

/**
 * Run a command line.
 *
 * @returns the exit code
 */
export async function main(args: readonly string[], output: Output = TERMINAL): Promise<number> {
  let code: number = EXIT.good;
  const program = commands(output, (ended) => code = ended);
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    return report(error, output);
  }
}

function commands(output: Output, end: (code: number) => void): Command {
  const program = new Command("pg-tide")
    .description(
      "Delivers messages from a PostgreSQL transactional outbox to Kafka.\nWithout a command: run the relay.",
    )
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text.trimEnd()),
      writeErr: (text) => output.err(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, "Error: ")),
    })
    .addHelpText("after", EXIT_HELP)
    .showHelpAfterError("Run pg-tide --help to see all commands and options.")
    .showSuggestionAfterError()
    // A program with an action of its own takes a word that is no command for an argument.
    .argument("[command]", "", refuseCommand)
    .usage("[options] [command]")
    .helpCommand(true);

  addSettingOptions(program).action(async (_word, _options, command: Command) => {
    end(await run(await loadSettings(command, output, ["postgresUrl"]), output));
  });
  addSettingOptions(program.command("run")).description("run the relay (the same as no command)")
    .action(async (_options, command: Command) => {
      end(await run(await loadSettings(command, output, ["postgresUrl"]), output));
    });
  addSettingOptions(program.command("install"), ["postgres_url", "config"])
    .description("create or upgrade the schema `tide` in the database; safe to repeat, and to race")
    .option("--print", "print the SQL instead, for a database administrator")
    .action(async (options: { print?: true }, command: Command) => {
      const required = options.print ? [] : ["postgresUrl" as const];
      end(await install(await loadSettings(command, output, required), options, output));
    });
  addSettingOptions(program.command("status"), ["postgres_url", "config"])
    .description("show every pipeline: state, lag, and what to do about its last error")
    .option("--json", "print one JSON object")
    .action(async (options: { json?: true }, command: Command) => {
      end(await status(await loadSettings(command, output, ["postgresUrl"]), options, output));
    });
  addDlqCommands(program, output, end);
  addPluginCommands(program, output, end);
  return program;
}

function addPluginCommands(program: Command, output: Output, end: (code: number) => void): void {
  const plugin = program.command("plugin").description("show and test plugins");
  addSettingOptions(plugin.command("list"), ["plugin", "config"])
    .description("list the plugins that this relay knows")
    .option("--json", "print one JSON object")
    .action(async (options: { json?: true }, command: Command) => {
      end(await pluginList(await loadSettings(command, output, []), options, output));
    });
  addSettingOptions(plugin.command("inspect"), ["plugin", "config"])
    .description("show a plugin's fields, and the permissions it asks for")
    .argument("<name>")
    .option("--json", "print one JSON object")
    .option("--schema", "print the JSON Schema of a pipeline with this sink, or of a format's wire_config")
    .action(async (name: string, options: { json?: true; schema?: true }, command: Command) => {
      end(await pluginInspect(await loadSettings(command, output, []), name, options, output));
    });
  addSettingOptions(plugin.command("test"), ["plugin_net", "config"])
    .description("run the conformance suite over a sink plugin of your own")
    .argument("<file>")
    .option("--set <json>", "the plugin's configuration, as a JSON object")
    .action(async (file: string, options: { set?: string }, command: Command) => {
      end(await pluginTest(await loadSettings(command, output, []), file, options, output));
    });
}

/** A word in place of a command, which is none. */
function refuseCommand(word: string): never {
  const nearest = nearestName(word, ["run", "install", "status", "dlq", "plugin", "help"]);
  const hint = nearest === null ? "" : ` Did you mean ${nearest}?`;
  throw new UserError(`Cannot run ${JSON.stringify(word)}: there is no such command`, {
    code: "COMMAND_UNKNOWN",
    advice: `Run pg-tide --help to see all commands and options.${hint}`,
    exitCode: EXIT.usage,
  });
}

/** Tell a person what went wrong and what to do; returns the exit code. */
function report(error: unknown, output: Output): number {
  // Commander has already written its own message; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.good : EXIT.usage;
  if (!(error instanceof UserError)) {
    output.err(
      redactUrls(
        `pg-tide failed: ${error instanceof Error ? error.stack ?? error.message : messageOf(error)}`,
      ),
    );
    return EXIT.failure;
  }
  output.err(redactUrls(`Error: ${error.message}`));
  // One problem is the message already.
  if (error.problems.length > 1) {
    for (const { message } of error.problems) output.err(redactUrls(`  - ${message}`));
  }
  if (error.advice !== "") output.err(redactUrls(error.advice));
  return error.exitCode;
}
