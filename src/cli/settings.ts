/**
 * The settings of a command, from its flags, the environment and the file.
 *
 * @module
 */

import type { Command } from "commander";
import { EXIT, messageOf, UserError } from "../base/errors.ts";
import { configPath, resolveSettings, type Settings } from "../config/settings.ts";
import { givenSettings } from "./options.ts";
import type { Output } from "./output.ts";

/**
 * The settings of a command.
 *
 * @throws {UserError} with all problems at once
 */
export async function loadSettings(
  command: Command,
  output: Output,
  required: readonly (keyof Settings)[],
): Promise<Settings> {
  const flags = givenSettings(command);
  const env = Deno.env.toObject();
  const path = configPath({ flags, env });
  const fileText = path === null ? null : await readSettingsFile(path);
  const { settings, problems, notices } = resolveSettings({ flags, env, fileText, required });
  for (const notice of notices) output.err(`Notice: ${notice}`);
  if (settings !== null) return settings;
  throw new UserError(
    problems.length === 1 ? problems[0]!.message : `${problems.length} settings are wrong`,
    {
      code: "SETTINGS",
      advice: "Run pg-tide --help to see all settings.",
      exitCode: EXIT.usage,
      problems,
    },
  );
}

async function readSettingsFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new UserError(`Cannot read the --config file "${path}": ${messageOf(error)}`, {
      code: "SETTINGS",
      advice: "Give the path of a readable JSON file.",
      exitCode: EXIT.usage,
      cause: error,
    });
  }
}
