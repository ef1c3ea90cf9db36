/**
 * The repository's files, as every rule sees them.
 *
 * A rule is a function from files to problems, so that its test can hand it a file that breaks it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { ignoreNotFound } from "../support/cache.ts";
import { runCommand } from "../support/command.ts";
import { MissingToolError } from "../support/errors.ts";
import { ROOT } from "../support/repository.ts";

/** A file of the repository. */
export interface SourceFile {
  /** From the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** What is wrong where: `src/base/clock.ts:12: …`. */
export type Problem = string;

/** Folders at the root that hold nothing of the project, as in .gitignore. */
const FOREIGN: ReadonlySet<string> = new Set([".git", "dist", "node_modules"]);

let tree: Promise<readonly SourceFile[]> | undefined;

/** Every tracked file, by path. */
export function sourceTree(): Promise<readonly SourceFile[]> {
  return tree ??= readTree();
}

/** Fails with every problem at once. */
export function assertTidy(problems: readonly Problem[]): void {
  assert.equal(problems.length, 0, `\n  ${problems.join("\n  ")}\n`);
}

/** The TypeScript files among them below the given folders. */
export function typeScript(
  files: readonly SourceFile[],
  folders: readonly string[] = ["src/", "plugins/"],
): readonly SourceFile[] {
  return files.filter(({ path }) =>
    path.endsWith(".ts") && folders.some((folder) => path.startsWith(folder))
  );
}

/** Paths of every file that is not ignored, found without git. */
export async function walkedPaths(folder = ""): Promise<readonly string[]> {
  const entries = await Array.fromAsync(Deno.readDir(join(ROOT, folder)));
  const below = entries.filter(({ name }) => folder !== "" || !FOREIGN.has(name)).map(
    ({ name, isDirectory }) => {
      const path = folder === "" ? name : `${folder}/${name}`;
      return isDirectory ? walkedPaths(path) : [path];
    },
  );
  return (await Promise.all(below)).flat().filter((path) => !path.endsWith(".log")).toSorted();
}

/** Paths of every tracked file; null where there is no git, or the files were unpacked without it. */
export async function trackedPaths(): Promise<readonly string[] | null> {
  try {
    const { code, stdout } = await runCommand("git", ["ls-files", "-z"], { cwd: ROOT });
    if (code !== 0) return null;
    return new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "").toSorted();
  } catch (error) {
    if (error instanceof MissingToolError) return null;
    throw error;
  }
}

async function readTree(): Promise<readonly SourceFile[]> {
  const paths = await trackedPaths() ?? await walkedPaths();
  const files = await Promise.all(paths.map(async (path) => ({ path, text: await readIfThere(path) })));
  return files.filter((file): file is SourceFile => file.text !== undefined);
}

/** A file that is being deleted is tracked until the commit. */
async function readIfThere(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(join(ROOT, path)).catch((error) => {
    ignoreNotFound(error);
    return undefined;
  });
}
