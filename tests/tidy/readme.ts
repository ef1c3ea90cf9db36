/**
 * What README.md must be: complete, generated where it can be, and true.
 *
 * @module
 */

import { codeBlocks, sectionsOf } from "../support/readme.ts";
import type { Problem, SourceFile } from "./source_tree.ts";

/** Where blocks are run; a test may bring its own. */
export interface BlockTables {
  readonly runBy: Readonly<Record<string, string>>;
  readonly notRun: Readonly<Record<string, string>>;
}

/** Blocks that no table accounts for, entries without a block, and tests that do not run what they are said to run. */
export function unrunBlocks(
  readme: SourceFile,
  { runBy, notRun }: BlockTables,
  files: readonly SourceFile[],
): readonly Problem[] {
  const blocks = codeBlocks(readme.text);
  const names = blocks.map(({ name }) => name);
  const listed = [...Object.keys(runBy), ...Object.keys(notRun)];
  return [
    ...blocks.flatMap(({ name, line }, i) => {
      const where = `${readme.path}:${line}`;
      if (name === null) return [`${where}: the code block has no name`];
      if (names.indexOf(name) < i) return [`${where}: there is another code block "${name}"`];
      return listed.includes(name) ? [] : [`${where}: no test is said to run the code block "${name}"`];
    }),
    ...listed.filter((name, i) => listed.indexOf(name) < i).map((name) =>
      `"${name}" is both run and not run`
    ),
    ...listed.filter((name) => !names.includes(name)).map((name) =>
      `${readme.path}: has no code block "${name}"`
    ),
    ...Object.entries(runBy).flatMap(([name, path]) => {
      const test = files.find((file) => file.path === path);
      return test?.text.includes(`"${name}"`) ? [] : [`${path}: does not run the code block "${name}"`];
    }),
  ];
}

/** Fences that are opened and not understood as a block: the blocks are found by a pattern. */
export function strayFences({ path, text }: SourceFile): readonly Problem[] {
  const fences = text.match(/^\s*(```|~~~)/gm)?.length ?? 0;
  const blocks = codeBlocks(text).length;
  return fences === 2 * blocks ? [] : [`${path}: has ${fences} fences for ${blocks} code blocks`];
}

/** Generated sections that are not what the declarations give. */
export function staleSections(
  { path, text }: SourceFile,
  generated: Readonly<Record<string, string>>,
): readonly Problem[] {
  const sections = sectionsOf(text);
  return [
    ...sections.filter((section) => generated[section.name] !== section.text)
      .map(({ name }) => `${path}: the section "${name}" is stale; deno task readme writes it`),
    ...Object.keys(generated).filter((name) => !sections.some((section) => section.name === name))
      .map((name) => `${path}: has no section "${name}"`),
  ];
}

/** Tasks that the text names and deno.json does not have, and tasks that it does not name. */
export function tasksOf({ path, text }: SourceFile, tasks: readonly string[]): readonly Problem[] {
  const named = new Set(
    [...text.matchAll(/\bdeno(?:@[\d.]+)? task ([a-z][a-z:]*)/g)].map(([, name]) => name!),
  );
  return [
    ...[...named].filter((name) => !tasks.includes(name)).map((name) => `${path}: there is no task ${name}`),
    ...tasks.filter((name) => !named.has(name)).map((name) => `${path}: does not name the task ${name}`),
  ];
}

/** Functions of the schema that the text calls and no migration creates. */
export function unknownFunctions(
  { path, text }: SourceFile,
  files: readonly SourceFile[],
): readonly Problem[] {
  const migrations = files.filter((file) => file.path.startsWith("src/pg/migrations/")).map((file) =>
    file.text
  ).join("\n");
  const known = new Set(
    [...migrations.matchAll(/CREATE (?:OR REPLACE )?(?:FUNCTION|TABLE) tide\.([a-z_]+)/g)].map(([, name]) =>
      name!
    ),
  );
  const named = new Set([...text.matchAll(/\btide\.([a-z_]+[a-z])\b/g)].map(([, name]) => name!));
  return [...named].filter((name) => !known.has(name)).map((name) => `${path}: there is no tide.${name}`);
}

/** Options that the text names and the program does not have. */
export function unknownOptions({ path, text }: SourceFile, options: ReadonlySet<string>): readonly Problem[] {
  const named = new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]*[a-z]\b/g)].map(([name]) => name));
  return [...named].filter((name) => !options.has(name)).map((name) => `${path}: there is no option ${name}`);
}

/** Headings that a link within the text means and that it does not have. */
export function brokenLinks({ path, text }: SourceFile): readonly Problem[] {
  const anchors = new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => anchorOf(title!)));
  const links = [...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor!);
  return links.filter((anchor) => !anchors.has(anchor)).map((anchor) =>
    `${path}: there is no heading for #${anchor}`
  );
}

function anchorOf(title: string): string {
  return title.toLowerCase().replaceAll(/[^\w\s-]/g, "").replaceAll(" ", "-");
}
