/**
 * What reaches out of the program: the clock, chance, the machine and the network. Whatever needs them gets them passed in, so that
 * a test may put a virtual clock, a seed or a fake in their place.
 *
 * @module
 */

import type { SourceFile } from "./source_tree.ts";
import { lineAt, visit } from "./syntax.ts";
import type { Finding } from "./waivers.ts";

type Node = Deno.lint.Node;

/** Globals that read the clock, wait or draw random numbers. */
const CLOCK: ReadonlySet<string> = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "performance",
  "Temporal",
  "Date.now",
  "Math.random",
  "AbortSignal.timeout",
  "crypto.randomUUID",
  "crypto.getRandomValues",
]);

/** Globals that reach the machine, other programs or the network. `Deno.errors` only names classes. */
const MACHINE: ReadonlySet<string> = new Set([
  "Deno",
  "process",
  "console",
  "fetch",
  "WebSocket",
  "EventSource",
  "Worker",
  "SharedWorker",
  "BroadcastChannel",
  "localStorage",
  "sessionStorage",
  "caches",
  "navigator",
  "prompt",
  "alert",
  "confirm",
]);

/** Uses of the clock and of chance. A waiver names a path and the power: `src/a.ts Date.now`. */
export function clockUses(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap((file) => uses(file, CLOCK));
}

/** The rooms at the edge: they bind what all others get passed in, and only they may use `Deno`. */
const EDGE = ["main.ts", "src/cli/", "src/relay.ts", "src/pg/", "src/host/", "src/observe/"];

/** Uses of the machine. A waiver names a path and the power: `src/a.ts fetch`. */
export function machineUses(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap((file) => {
    const isAtEdge = EDGE.some((place) => file.path.startsWith(place));
    const isFree = ({ subject }: Finding) =>
      subject.endsWith(" Deno.errors") || (isAtEdge && subject.startsWith(`${file.path} Deno.`));
    return uses(file, MACHINE).filter((finding) => !isFree(finding));
  });
}

function uses(file: SourceFile, powers: ReadonlySet<string>): readonly Finding[] {
  const found: Finding[] = [];
  const add = (power: string, { range }: Node) => {
    const problem = `${file.path}:${lineAt(file.text, range[0])}: uses ${power}, which is passed in`;
    found.push({ subject: `${file.path} ${power}`, problem });
  };
  visit(file, {
    Identifier(node) {
      const power = powerOf(node, powers);
      if (power !== null) add(power, node);
    },
    NewExpression(node) {
      if (
        powers === CLOCK && file.text.slice(...node.callee.range) === "Date" && node.arguments.length === 0
      ) {
        add("new Date()", node);
      }
    },
  });
  return found;
}

/** The power that a name stands for: the global itself, or with one member where that is what counts. */
function powerOf(node: Deno.lint.Identifier, powers: ReadonlySet<string>): string | null {
  const { parent } = node;
  const member =
    parent.type === "MemberExpression" && parent.object === node && parent.property.type === "Identifier"
      ? `${node.name}.${parent.property.name}`
      : null;
  if (member !== null && powers.has(member)) return member;
  if (!powers.has(node.name) || !isValue(node)) return null;
  return node.name === "Deno" && member !== null ? member : node.name;
}

/** Whether a name means the global: not a property of something else, a key or a type. */
function isValue(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  if (parent.type === "MemberExpression" && parent.property === node && !parent.computed) {
    return parent.object.type === "Identifier" && parent.object.name === "globalThis";
  }
  if (parent.type === "Property") return parent.value === node && parent.parent.type === "ObjectExpression";
  const elsewhere: readonly Node["type"][] = [
    "TSTypeQuery",
    "TSQualifiedName",
    "TSTypeReference",
    "TSPropertySignature",
    "TSMethodSignature",
    "MethodDefinition",
    "PropertyDefinition",
    "ImportSpecifier",
    "ExportSpecifier",
  ];
  return !elsewhere.includes(parent.type);
}
