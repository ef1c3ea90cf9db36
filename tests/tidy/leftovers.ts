/**
 * What must not be left behind: markers of unfinished work, tests that do not run, drawers, and traces of one machine.
 *
 * @module
 */

import type { Problem, SourceFile } from "./source_tree.ts";
import { lineAt, visit } from "./syntax.ts";
import type { Finding } from "./waivers.ts";

type Node = Deno.lint.Node;

// Written in pieces, so that this file does not hold them.
const MARKERS = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"];

/** Package registries: a lock file or a mirror decides where packages come from, not the code. */
const REGISTRIES = [
  "npmjs" + ".org",
  "npmjs" + ".com",
  "repo" + ".maven",
  "repo1" + ".maven",
  "search" + ".maven",
  "pypi" + ".org",
  "deb" + ".debian.org",
  "jsr" + ".io",
  "crates" + ".io",
  "proxy.golang" + ".org",
  "deno" + ".land",
];

/** Folders of the machines that this project was written on. */
const MACHINES = ["/wo" + "rk/", "/tmp/" + "w/", "/ro" + "ot/", "/ho" + "me/"];

const UNWANTED: readonly {
  readonly texts: readonly string[];
  readonly word: RegExp;
  readonly what: string;
}[] = [
  { texts: MARKERS, word: anyOf(MARKERS, "\\b", "\\b"), what: "a marker of unfinished work" },
  { texts: REGISTRIES, word: anyOf(REGISTRIES, "", "\\b"), what: "the name of a package registry" },
  { texts: MACHINES, word: anyOf(MACHINES, "(?<![\\w.])", ""), what: "a path of one machine" },
];

/** Texts that no file may hold. */
export function unwantedTexts(files: readonly SourceFile[]): readonly Problem[] {
  return files.flatMap(({ path, text }) =>
    UNWANTED.flatMap(({ word, what }) =>
      [...text.matchAll(word)].map(({ index, 0: found }) =>
        `${path}:${lineAt(text, index)}: "${found}" is ${what}`
      )
    )
  );
}

/** Tests that are left out, or that leave others out. */
export function idleTests(files: readonly SourceFile[]): readonly Problem[] {
  return files.filter(({ path }) => path.startsWith("tests/") && path.endsWith(".ts")).flatMap((file) => {
    const found: Problem[] = [];
    const add = (what: string, { range }: Node) =>
      found.push(`${file.path}:${lineAt(file.text, range[0])}: ${what} leaves tests out`);
    visit(file, {
      MemberExpression(node) {
        const text = file.text.slice(...node.range);
        if (/^(Deno\.test|\w*[tT]est|describe|it)\.(only|ignore|skip)$/.test(text)) add(text, node);
      },
      Property(node) {
        const key = file.text.slice(...node.key.range);
        if ((key === "only" || key === "ignore") && isTestOption(node, file.text)) add(key, node);
      },
    });
    return found;
  });
}

/** Whether a property stands in an argument of `Deno.test` or `t.step`. */
function isTestOption(node: Node, text: string): boolean {
  const options = "parent" in node ? node.parent : null;
  const call = options !== null && "parent" in options ? options.parent : null;
  return call?.type === "CallExpression" && /(^Deno\.test|\.step)$/.test(text.slice(...call.callee.range));
}

/** Unit tests whose file stands where no file under test stands: the test of `src/ack/frontier.ts` is `tests/unit/ack/frontier_test.ts`. */
export function lostTests(files: readonly SourceFile[]): readonly Finding[] {
  const paths = new Set(files.map(({ path }) => path));
  return [...paths].filter((path) => path.startsWith("tests/unit/") && path.endsWith("_test.ts")).flatMap(
    (path) => {
      const tested = path.slice("tests/unit/".length).replace(/_test\.ts$/, ".ts");
      if (["src", "plugins", "tests"].some((folder) => paths.has(`${folder}/${tested}`))) return [];
      return [{ subject: path, problem: `${path}: there is neither src/${tested} nor plugins/${tested}` }];
    },
  );
}

/** Directives that silence a tool without saying why. */
export function silencedTools(files: readonly SourceFile[]): readonly Problem[] {
  const directive =
    /(?:\/\/|\/\*)\s*(deno-lint-ignore(?:-file)?|deno-fmt-ignore(?:-file)?|@ts-(?:ignore|expect-error|nocheck))([^\n]*)/g;
  return files.filter(({ path }) => path.endsWith(".ts")).flatMap(({ path, text }) =>
    [...text.matchAll(directive)].filter(({ 2: rest }) => !/ -- \S/.test(rest!))
      .map(({ index, 1: name }) => `${path}:${lineAt(text, index)}: ${name} says no reason (" -- " and why)`)
  );
}

/** Files whose name is not in snake_case, or says that anything may be put in. */
export function badNames(files: readonly SourceFile[]): readonly Problem[] {
  const drawer = /^(utils?|common|helpers?|lib|misc|shared|stuff)(_test)?$/;
  return files.map(({ path }) => path).filter((path) => /\.(ts|sql)$/.test(path)).flatMap((path) => {
    const steps = path.replace(/\.[a-z]+$/, "").split("/");
    if (steps.some((step) => drawer.test(step))) {
      return [`${path}: its name says that anything may be put in`];
    }
    return steps.every((step) => /^[a-z0-9_]+$/.test(step)) ? [] : [`${path}: its name is not in snake_case`];
  });
}

function anyOf(texts: readonly string[], before: string, after: string): RegExp {
  return new RegExp(
    `${before}(?:${texts.map((text) => text.replaceAll(".", "\\.")).join("|")})${after}`,
    "g",
  );
}
