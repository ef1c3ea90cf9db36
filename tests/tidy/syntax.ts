/**
 * What a source file says, read by Deno's own parser through its interface for lint plugins. That interface exists under
 * `deno test` only, which is where the rules run.
 *
 * @module
 */

import type { SourceFile } from "./source_tree.ts";

/** One import, re-export or resolved module of a file. */
export interface Import {
  readonly specifier: string;
  /** The names taken, as the other module calls them; `*` for all of them. */
  readonly names: readonly string[];
  readonly line: number;
  /** True for `import.meta.resolve`, which gives a module's URL and does not load it. */
  readonly url: boolean;
}

/** A function of a file. */
export interface FunctionSpan {
  /** As a reader would call it: `SinkHost.open`, `readTree`, `(anonymous)`. */
  readonly name: string;
  readonly line: number;
  /** From its first to its last line. */
  readonly lines: number;
}

/** An exported declaration. */
export interface Export {
  readonly name: string;
  readonly line: number;
  readonly documented: boolean;
}

type Node = Deno.lint.Node;
type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

/**
 * Visit a file's nodes.
 *
 * @throws SyntaxError when it cannot be parsed
 */
export function visit({ path, text }: SourceFile, visitor: Deno.lint.LintVisitor): void {
  const rules: Record<string, Deno.lint.Rule> = { visit: { create: () => visitor } };
  Deno.lint.runPlugin({ name: "tidy", rules }, path.split("/").at(-1)!, text);
}

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** What a file imports, re-exports, imports when it runs, or resolves; in that order only by chance. */
export const importsOf = remembered((file): readonly Import[] => {
  const found: Import[] = [];
  const add = (specifier: unknown, names: readonly string[], { range }: Node, url = false) => {
    if (typeof specifier !== "string") return;
    found.push({ specifier, names, line: lineAt(file.text, range[0]), url });
  };
  visit(file, {
    ImportDeclaration: (node) => add(node.source.value, node.specifiers.map(importedName), node),
    ExportAllDeclaration: (node) => add(node.source.value, ["*"], node),
    ExportNamedDeclaration: (node) =>
      add(node.source?.value, node.specifiers.map(({ local }) => nameOf(local)), node),
    ImportExpression: (node) => add(literal(node.source), ["*"], node),
    TSImportType: (node) => add(literal(node.argument), ["*"], node),
    CallExpression: (node) => {
      if (file.text.slice(...node.callee.range) === "import.meta.resolve") {
        add(literal(node.arguments[0]), [], node, true);
      }
    },
  });
  return found;
});

/** Every function of a file, however deep. */
export function functionsOf(file: SourceFile): readonly FunctionSpan[] {
  const found: FunctionSpan[] = [];
  const add = (node: FunctionNode) => {
    const line = lineAt(file.text, node.range[0]);
    found.push({ name: functionName(node), line, lines: lineAt(file.text, node.range[1]) - line + 1 });
  };
  visit(file, { FunctionDeclaration: add, FunctionExpression: add, ArrowFunctionExpression: add });
  return found;
}

/** The declarations that a file exports by name; re-exports are not its own. */
export const exportsOf = remembered((file): readonly Export[] => {
  const found: Export[] = [];
  visit(file, {
    ExportNamedDeclaration({ declaration, range }) {
      if (declaration === null) return;
      const documented = file.text.slice(0, range[0]).trimEnd().endsWith("*/");
      const line = lineAt(file.text, range[0]);
      for (const name of declaredNames(declaration)) found.push({ name, line, documented });
    },
  });
  return found;
});

/** The same function, asked once for each file: several rules want to know the same. */
function remembered<Result>(read: (file: SourceFile) => Result): (file: SourceFile) => Result {
  const known = new WeakMap<SourceFile, { readonly result: Result }>();
  return (file) => {
    const entry = known.get(file) ?? { result: read(file) };
    known.set(file, entry);
    return entry.result;
  };
}

function declaredNames(declaration: Node): readonly string[] {
  if (declaration.type === "VariableDeclaration") return declaration.declarations.map(({ id }) => nameOf(id));
  return "id" in declaration && declaration.id !== null ? [nameOf(declaration.id as Node)] : [];
}

function importedName(specifier: Deno.lint.ImportDeclaration["specifiers"][number]): string {
  if (specifier.type === "ImportNamespaceSpecifier") return "*";
  return specifier.type === "ImportDefaultSpecifier" ? "default" : nameOf(specifier.imported);
}

function nameOf(node: Node): string {
  if (node.type === "Identifier" || node.type === "PrivateIdentifier") return node.name;
  return node.type === "Literal" ? String(node.value) : "(anonymous)";
}

function literal(node: Node | undefined): unknown {
  if (node?.type === "TSLiteralType") return literal(node.literal);
  return node?.type === "Literal" ? node.value : undefined;
}

function functionName(node: FunctionNode): string {
  if ("id" in node && node.id) return node.id.name;
  const { parent } = node;
  if (parent.type === "MethodDefinition" && parent.parent.type === "ClassBody") {
    const owner = parent.parent.parent;
    const className = "id" in owner && owner.id ? nameOf(owner.id as Node) : "(anonymous)";
    const name = nameOf(parent.key);
    return `${className}.${parent.key.type === "PrivateIdentifier" ? "#" : ""}${name}`;
  }
  if (parent.type === "VariableDeclarator") return nameOf(parent.id);
  if (parent.type === "Property" || parent.type === "PropertyDefinition") return nameOf(parent.key);
  return "(anonymous)";
}
