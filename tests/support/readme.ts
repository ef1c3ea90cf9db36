/**
 * Reads README.md as a program: its code blocks by name, and its generated sections.
 *
 * A code block has a name in a comment before it, `<!-- block: name -->`, by which a test runs it. A generated section stands between
 * `<!-- generated: name -->` and `<!-- end -->`; `deno task readme` writes it.
 *
 * @module
 */

import { join } from "node:path";
import { ROOT } from "./repository.ts";

/** Where it is. */
export const README = join(ROOT, "README.md");

/** A fenced code block. */
export interface CodeBlock {
  /** Null when no comment names it. */
  readonly name: string | null;
  /** What stands behind the fence: `sql`. */
  readonly language: string;
  readonly text: string;
  /** The line of its fence, from 1. */
  readonly line: number;
}

/** A generated section. */
export interface Section {
  readonly name: string;
  /** Between the two comments, without the white space around it. */
  readonly text: string;
}

const BLOCK_REGEXP = /(?:^<!-- block: ([a-z0-9-]+) -->\n\n?)?^```([a-z]*)\n([\s\S]*?)^```$/gm;
const SECTION_REGEXP = /^<!-- generated: ([a-z0-9-]+) -->\n([\s\S]*?)^<!-- end -->$/gm;

/** The code blocks of a Markdown text, in order. */
export function codeBlocks(markdown: string): readonly CodeBlock[] {
  return [...markdown.matchAll(BLOCK_REGEXP)].map(({ 0: whole, 1: name, 2: language, 3: text, index }) => {
    const fence = index + whole.indexOf("```");
    return {
      name: name ?? null,
      language: language!,
      text: text!,
      line: markdown.slice(0, fence).split("\n").length,
    };
  });
}

/**
 * The text of a code block of the README.
 *
 * @throws Error when there is none of this name
 */
export async function readmeBlock(name: string): Promise<string> {
  const block = codeBlocks(await Deno.readTextFile(README)).find((one) => one.name === name);
  if (block === undefined) throw new Error(`Cannot find the code block "${name}" in ${README}`);
  return block.text;
}

/** The generated sections of a Markdown text, in order. */
export function sectionsOf(markdown: string): readonly Section[] {
  return [...markdown.matchAll(SECTION_REGEXP)].map(({ 1: name, 2: text }) => ({
    name: name!,
    text: text!.trim(),
  }));
}

/**
 * The text with its generated sections written anew.
 *
 * @throws Error when it has a section that nothing generates, or lacks one
 */
export function withSections(markdown: string, sections: Readonly<Record<string, string>>): string {
  const present = sectionsOf(markdown).map(({ name }) => name);
  const wrong = [
    ...present.filter((name) => !Object.hasOwn(sections, name)).map((name) => `nothing generates "${name}"`),
    ...Object.keys(sections).filter((name) => !present.includes(name)).map((name) =>
      `it has no section "${name}"`
    ),
  ];
  if (wrong.length > 0) throw new Error(`Cannot write the sections: ${wrong.join(", ")}`);
  return markdown.replace(
    SECTION_REGEXP,
    (_whole, name: string) => `<!-- generated: ${name} -->\n\n${sections[name]}\n\n<!-- end -->`,
  );
}
