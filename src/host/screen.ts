/**
 * The screen: what an external plugin's source may say before it runs.
 *
 * Loading a module is not checked against a Worker's permissions, so what a plugin may load is decided here, from its
 * text: static imports of the SDK and of those node modules whose every effect a permission guards, and nothing else.
 *
 * The text is read by a complete parser. A lexer is not enough: es-module-lexer 3.0.5 takes the slash after
 * `let f = function(){}` for the start of a regular expression and so overlooks the import in
 * `let f = function(){} / import("/etc/x.json") / 1`, which V8 runs. What this parser does not understand is refused.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  type ExportAllDeclaration,
  type ExportNamedDeclaration,
  type ImportDeclaration,
  type Node,
  parse,
  type Program,
} from "acorn";
import * as sdk from "@pg-tide/sdk";
import { EXIT, messageOf, type Problem, UserError } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";
import { dataModule, SDK_SPECIFIER, sdkShim } from "./sdk_shim.ts";

/** The node modules that a plugin may import: none of them reads files, starts programs or makes code of texts. */
export const ALLOWED_NODE_MODULES: readonly string[] = [
  "assert",
  "assert/strict",
  "buffer",
  "crypto",
  "dns",
  "dns/promises",
  "events",
  "http",
  "https",
  "net",
  "stream",
  "stream/consumers",
  "stream/promises",
  "stream/web",
  "string_decoder",
  "timers",
  "timers/promises",
  "tls",
  "url",
  "util",
  "util/types",
  "zlib",
];

/** A plugin's source that passed the screen. */
export interface ScreenedSource {
  /** SHA-256 of the source as it was read, in hexadecimal digits. */
  readonly sha256: string;
  /** The source as a module: what was screened is what runs. */
  readonly module: string;
}

type ModuleRequest = ImportDeclaration | ExportAllDeclaration | ExportNamedDeclaration;

const ALLOWED = `${SDK_SPECIFIER} and node:{${ALLOWED_NODE_MODULES.join(", ")}}`;
const SDK_NAMES: readonly string[] = Object.keys(sdk);

/**
 * Screen a plugin's source.
 *
 * @param plugin its name, for errors
 * @throws {UserError} with every line that it may not contain, and what is allowed
 */
export function screenSource(plugin: string, source: Uint8Array): ScreenedSource {
  const text = decode(plugin, source);
  const program = parseModule(plugin, text);
  const problems: Problem[] = [];
  const sdkSpecifiers: Node[] = [];
  for (const node of nodesOf(program)) {
    if (node.type === "ImportExpression") {
      const message = `${lineOf(node)}: import(…) is not allowed, only static imports of ${ALLOWED}`;
      problems.push({ field: "", message });
    } else if (isModuleRequest(node)) {
      checkRequest(node, problems);
      if (node.source?.value === SDK_SPECIFIER) sdkSpecifiers.push(node.source);
    }
  }
  if (problems.length > 0) throw refused(plugin, problems);
  return {
    sha256: createHash("sha256").update(source).digest("hex"),
    module: dataModule(replaceSpecifiers(text, sdkSpecifiers)),
  };
}

function decode(plugin: string, source: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(source);
  } catch {
    throw refused(plugin, [{ field: "", message: "the file is not UTF-8 text" }]);
  }
}

function parseModule(plugin: string, text: string): Program {
  try {
    return parse(text, { ecmaVersion: "latest", sourceType: "module", locations: true });
  } catch (error) {
    const line = (error as { loc?: { line: number } }).loc?.line;
    const where = line === undefined ? "" : `line ${line}: `;
    const hint = "expected JavaScript (a module in one file; TypeScript must be compiled first)";
    throw refused(plugin, [{ field: "", message: `${where}${messageOf(error)}, ${hint}` }]);
  }
}

/** Every node of the tree; with a list of its own, as deep as the parser went. */
function* nodesOf(program: Program): Generator<Node> {
  const open: unknown[] = [program];
  while (open.length > 0) {
    const value = open.pop();
    if (isNode(value)) yield value;
    else if (!Array.isArray(value)) continue;
    for (const child of Object.values(value)) open.push(child);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function isModuleRequest(node: Node): node is ModuleRequest {
  return node.type === "ImportDeclaration" || node.type === "ExportAllDeclaration" ||
    (node.type === "ExportNamedDeclaration" && isNode((node as ExportNamedDeclaration).source));
}

function checkRequest(request: ModuleRequest, problems: Problem[]): void {
  const specifier = String(request.source?.value);
  const line = lineOf(request);
  const refuse = (message: string) => void problems.push({ field: "", message: `${line}: ${message}` });
  if (request.attributes.length > 0) refuse("import attributes (with { … }) are not allowed");
  if (specifier === SDK_SPECIFIER) {
    for (const name of importedNames(request)) {
      if (SDK_NAMES.includes(name)) continue;
      const nearest = nearestName(name, SDK_NAMES);
      refuse(`${SDK_SPECIFIER} has no ${name}${nearest === null ? "" : `, did you mean ${nearest}?`}`);
    }
  } else if (!ALLOWED_NODE_MODULES.some((name) => specifier === `node:${name}`)) {
    refuse(`${JSON.stringify(specifier.slice(0, 200))} may not be imported, only ${ALLOWED}`);
  }
}

/** The names that a request takes from its module. */
function importedNames(request: ModuleRequest): string[] {
  if (request.type === "ExportAllDeclaration") return [];
  return request.specifiers.flatMap((specifier) => {
    if (specifier.type === "ImportNamespaceSpecifier") return [];
    if (specifier.type === "ImportDefaultSpecifier") return ["default"];
    const name = specifier.type === "ImportSpecifier" ? specifier.imported : specifier.local;
    return [name.type === "Identifier" ? name.name : String(name.value)];
  });
}

function replaceSpecifiers(text: string, specifiers: readonly Node[]): string {
  const shim = JSON.stringify(sdkShim(SDK_NAMES));
  return specifiers.toSorted((a, b) => b.start - a.start)
    .reduce((rest, { start, end }) => rest.slice(0, start) + shim + rest.slice(end), text);
}

function lineOf(node: Node): string {
  return `line ${node.loc?.start.line ?? "?"}`;
}

function refused(plugin: string, problems: readonly Problem[]): UserError {
  const details = problems.slice(0, 10).map(({ message }) => message).join("; ");
  return new UserError(`Cannot load plugin "${plugin}": ${details}`, {
    code: "PLUGIN_REFUSED",
    advice: "Bundle the plugin into one JavaScript file that imports nothing else.",
    exitCode: EXIT.usage,
    problems,
  });
}
