/**
 * Runs a program to its end.
 *
 * @module
 */

import { installAdvice, MissingToolError } from "./errors.ts";

/** How a program is run. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  /** Runs it in a session of its own, which a terminal's Ctrl-C does not reach. */
  readonly detached?: boolean;
  /** What it reads from standard input; nothing by default. */
  readonly input?: string;
  /** Ends the program with SIGTERM. */
  readonly signal?: AbortSignal;
}

/** What a program left when it ended. */
export interface CommandResult {
  readonly code: number;
  /** The signal that ended it, such as `SIGKILL`; null when it ended by itself. */
  readonly signal: string | null;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: string;
}

/**
 * Run a program to its end and keep what it prints.
 *
 * @throws MissingToolError when the program is not installed
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  try {
    const { input, ...rest } = options;
    const child = new Deno.Command(program, {
      args: [...args],
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      ...rest,
      env: { ...options.env },
    }).spawn();
    const [output] = await Promise.all([
      child.output(),
      input === undefined ? undefined : feed(child, input),
    ]);
    const stderr = new TextDecoder().decode(output.stderr);
    return { code: output.code, signal: output.signal, stdout: output.stdout, stderr };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new MissingToolError(`Cannot run ${program}: it is not installed`, installAdvice(program), {
      cause: error,
    });
  }
}

async function feed(child: Deno.ChildProcess, input: string): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
}

/**
 * Run a program that must succeed.
 *
 * @returns its standard output as text
 * @throws Error with its last lines when it fails
 */
export async function runOrThrow(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await runCommand(program, args, options);
  const stdout = new TextDecoder().decode(result.stdout);
  if (result.code === 0) return stdout;
  const ending = result.signal ?? `exit code ${result.code}`;
  throw new Error(
    `Cannot run ${program} ${args.join(" ")}: ${ending}\n${lastLines(`${stdout}\n${result.stderr}`)}`,
  );
}

/** The end of a program's output, for an error message. */
export function lastLines(text: string, count = 30): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
