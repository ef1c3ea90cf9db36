/**
 * What every file and every export must say of itself, and that each file is needed.
 *
 * @module
 */

import { posix } from "node:path";
import { reachable, targetOf } from "./imports.ts";
import { SDK } from "./rooms.ts";
import { type Problem, type SourceFile, typeScript } from "./source_tree.ts";
import { exportsOf, importsOf } from "./syntax.ts";

const PRODUCT = ["main.ts", "src/", "plugins/"];

/** Modules that do not open with a comment that holds `@module`; a test file's titles say what it is for. */
export function untoldModules(files: readonly SourceFile[]): readonly Problem[] {
  const modules = typeScript(files, [...PRODUCT, "tests/"]).filter(({ path }) => !path.endsWith("_test.ts"));
  return modules.filter(({ text }) =>
    !/^\/\*\*\n \* [^\n]+\n(?: \*[^\n]*\n)*? \* @module\n \*\/\n/.test(text)
  )
    .map(({ path }) => `${path}: does not open with a comment that says what the module is for, and @module`);
}

/** Exported declarations without a comment. */
export function untoldExports(files: readonly SourceFile[]): readonly Problem[] {
  return typeScript(files, [...PRODUCT, "tests/"]).flatMap((file) =>
    exportsOf(file).filter(({ documented }) => !documented)
      .map(({ name, line }) => `${file.path}:${line}: ${name} is exported without a /** comment */`)
  );
}

/**
 * Files of the product that no entry of it needs. A statement is needed when a file beside it that is needed names it, for statements
 * are read by their names.
 */
export function deadFiles(files: readonly SourceFile[], entries: readonly string[]): readonly Problem[] {
  const needed = reachable(files, entries);
  const statements = new Set(
    files.filter(({ path }) => needed.has(path)).flatMap((file) => namedStatements(file, files)),
  );
  return files.map(({ path }) => path)
    .filter((path) => /^(src|plugins)\//.test(path) && !needed.has(path) && !statements.has(path))
    .map((path) => `${path}: nothing that runs needs it`);
}

/** Exports of the product that no file imports and their own file does not use either. */
export function deadExports(files: readonly SourceFile[]): readonly Problem[] {
  const imported = importedNames(typeScript(files, [...PRODUCT, "tests/"]));
  return typeScript(files, PRODUCT).flatMap((file) => {
    const names = imported.get(file.path) ?? new Set();
    return exportsOf(file)
      .filter(({ name }) => !names.has("*") && !names.has(name))
      .filter(({ name }) =>
        file.text.match(new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])`, "g"))?.length === 1
      )
      .map(({ name, line }) => `${file.path}:${line}: nothing uses ${name}`);
  });
}

/** The names that others take from each file. */
function importedNames(files: readonly SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const taken = new Map<string, Set<string>>();
  for (const file of files) {
    for (const { specifier, names } of importsOf(file)) {
      const target = specifier === SDK ? "plugins/sdk/mod.ts" : targetOf(file.path, specifier);
      const known = taken.get(target) ?? new Set();
      for (const name of names) known.add(name);
      taken.set(target, known);
    }
  }
  return taken;
}

/** The statements at or below a file's folder whose name, with or without folder, is one of its texts. */
function namedStatements({ path, text }: SourceFile, files: readonly SourceFile[]): readonly string[] {
  const folder = `${posix.dirname(path)}/`;
  return files.map((file) => file.path).filter((other) => {
    if (!other.endsWith(".sql") || !other.startsWith(folder)) return false;
    const name = other.slice(folder.length, -".sql".length);
    return text.includes(`"${name}"`) || text.includes(`"${posix.basename(name)}"`);
  });
}
