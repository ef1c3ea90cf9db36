/**
 * How large a file and a function may be.
 *
 * @module
 */

import { type SourceFile, typeScript } from "./source_tree.ts";
import { functionsOf } from "./syntax.ts";
import type { Finding } from "./waivers.ts";

/** The habit is half of it. Larger, and a reader cannot hold the file in mind. */
export const FILE_LINES_MAX = 400;

/** The habit is 40. Larger, and a function does several things. */
export const FUNCTION_LINES_MAX = 60;

/** Code: what is written by hand and read as a whole. */
const EXTENSION_REGEXP = /\.(ts|js|sql|sh)$/;

/** Files and functions that are too large. A waiver names a path, or `path functionName`. */
export function oversized(files: readonly SourceFile[]): readonly Finding[] {
  const code = files.filter(({ path }) => EXTENSION_REGEXP.test(path));
  return [
    ...code.flatMap(oversizedFile),
    ...typeScript(code, ["main.ts", "src/", "plugins/", "tests/"]).flatMap(oversizedFunctions),
  ];
}

function oversizedFile({ path, text }: SourceFile): readonly Finding[] {
  const lines = text.trimEnd().split("\n").length;
  if (lines <= FILE_LINES_MAX) return [];
  return [{ subject: path, problem: `${path}: has ${lines} lines, expected at most ${FILE_LINES_MAX}` }];
}

function oversizedFunctions(file: SourceFile): readonly Finding[] {
  return functionsOf(file).filter(({ lines }) => lines > FUNCTION_LINES_MAX).map(({ name, line, lines }) => ({
    subject: `${file.path} ${name}`,
    problem: `${file.path}:${line}: ${name} has ${lines} lines, expected at most ${FUNCTION_LINES_MAX}`,
  }));
}
