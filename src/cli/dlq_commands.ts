/**
 * The commands of `pg-tide dlq`.
 *
 * @module
 */

import type { Command } from "commander";
import type { Settings } from "../config/settings.ts";
import { dlqCancel, dlqDiscard, dlqList, dlqRetry, dlqShow, dlqStatus } from "./dlq.ts";
import { addFilterOptions, type DiscardFlags, type ListFlags, type RetryFlags } from "./dlq_flags.ts";
import { addSettingOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { loadSettings } from "./settings.ts";

const SETTINGS = ["postgres_url", "config"];

/** Where they are added, and what they are given. */
interface Place {
  readonly dlq: Command;
  readonly output: Output;
  /** Told each exit code. */
  readonly end: (code: number) => void;
}

/** Add them to the program; `end` is told each exit code. */
export function addDlqCommands(program: Command, output: Output, end: (code: number) => void): void {
  const dlq = program.command("dlq").description("find dead letters, send them again, throw them away");
  const place = { dlq, output, end };
  addLookingCommands(place);
  addActingCommands(place);
}

function addLookingCommands({ dlq, output, end }: Place): void {
  const list = dlq.command("list").description("list dead letters, oldest first, with why they failed");
  addFilterOptions(list, ["pipeline", "code", "before"])
    .option("--limit <number>", "list so many at most (default 50)")
    .option("--after <id>", "list those behind this one")
    .option("--json", "print one JSON object");
  addSettingOptions(list, SETTINGS).action(async (flags: ListFlags, command: Command) => {
    end(await dlqList(await settingsOf(command, output), flags, output));
  });

  const show = dlq.command("show").description("show one dead letter whole, with payload and headers")
    .argument("<id>").option("--json", "print one JSON object");
  addSettingOptions(show, SETTINGS).action(async (id: string, flags: { json?: true }, command: Command) => {
    end(await dlqShow(await settingsOf(command, output), id, flags, output));
  });

  const status = dlq.command("status")
    .description("show what dead letters have failed of, and how far those have come that are sent again");
  addFilterOptions(status, ["pipeline"]).option("--json", "print one JSON object");
  addSettingOptions(status, SETTINGS)
    .action(async (flags: { pipeline?: string; json?: true }, command: Command) => {
      end(await dlqStatus(await settingsOf(command, output), flags, output));
    });
}

function addActingCommands({ dlq, output, end }: Place): void {
  const retry = dlq.command("retry")
    .description("send dead letters again through the present configuration of their pipeline");
  addFilterOptions(retry, ["pipeline", "id", "code", "before"])
    .option(
      "--payload <file>",
      "send this JSON in place of the payload, of the one letter that --id names; - reads it from standard input",
    )
    .option("--rate <number>", "send so many a second at most")
    .option("--into <name>", "send those of a pipeline that was deleted through this one")
    .option("--dry-run", "only say how many that are")
    .option("--wait", "wait until they are sent, with progress; exits with 1 when some are refused again")
    .option("--json", "print one JSON object");
  addSettingOptions(retry, SETTINGS).action(async (flags: RetryFlags, command: Command) => {
    end(await dlqRetry(await settingsOf(command, output), flags, output));
  });

  const cancel = dlq.command("cancel")
    .description("call off a retry, for the dead letters whose turn has not come")
    .argument("<retry>").option("--json", "print one JSON object");
  addSettingOptions(cancel, SETTINGS).action(
    async (retry: string, flags: { json?: true }, command: Command) => {
      end(await dlqCancel(await settingsOf(command, output), retry, flags, output));
    },
  );

  const discard = dlq.command("discard").description("throw dead letters away for good");
  addFilterOptions(discard, ["pipeline", "id", "code", "before"])
    .option("--dry-run", "only say how many that are")
    .option("--json", "print one JSON object");
  addSettingOptions(discard, SETTINGS).action(async (flags: DiscardFlags, command: Command) => {
    end(await dlqDiscard(await settingsOf(command, output), flags, output));
  });
}

function settingsOf(command: Command, output: Output): Promise<Settings> {
  return loadSettings(command, output, ["postgresUrl"]);
}
