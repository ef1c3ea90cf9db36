/**
 * A JMESPath expression as a function: the syntax tree is turned into closures once, and evaluated on every message.
 *
 * `npm:jmespath` parses; it offers no evaluation of what it has parsed, no functions of one's own, reads members of
 * prototypes and knows doubles only. Hence the evaluation is here. It follows the specification, and adds one function:
 * `message()`, an object of what is known about the message besides its payload.
 *
 * @module
 */

import type { ExactJson } from "../base/exact_json.ts";
import { Arguments, type Key } from "./arguments.ts";
import { BUILT_INS } from "./functions.ts";
import type { Comparison, Node } from "./node.ts";
import { ExpressionError, parseExpression } from "./parse.ts";
import { EvaluationError, isEqual, isObject, isTrue, member, setMember, toDouble } from "./value.ts";

/**
 * Steps that evaluating one message may take. Nested `map` and projections can multiply: without a bound, one message
 * could stop every pipeline of the relay for minutes. A million steps take some 20 ms.
 */
export const STEPS_MAX = 1_000_000;

/** One evaluation: what it may still cost, and the message it is about. */
export class Run {
  #steps = 0;
  #message: ExactJson | undefined;
  readonly #describe: () => ExactJson;

  /** @param describe what `message()` gives; called at most once */
  constructor(describe: () => ExactJson) {
    this.#describe = describe;
  }

  /** Count work. */
  readonly spend = (steps: number): void => {
    this.#steps += steps;
    if (this.#steps > STEPS_MAX) {
      throw new EvaluationError(
        "TRANSFORM_TOO_LARGE",
        `it takes more than ${STEPS_MAX} steps on this message`,
      );
    }
  };

  /** What `message()` gives. */
  message(): ExactJson {
    return this.#message ??= this.#describe();
  }
}

/** A compiled expression. */
export type Expression = (value: ExactJson, run: Run) => ExactJson;

/**
 * Compile an expression.
 *
 * @throws {ExpressionError} when it is not one
 */
export function compileExpression(text: string): Expression {
  const tree = parseExpression(text);
  try {
    return compile(tree);
  } catch (error) {
    throw error instanceof RangeError ? new ExpressionError("it nests too deeply") : error;
  }
}

/** The parser leaves out what it did not find, behind a dot or between parentheses. */
function compile(node: Node | undefined): Expression {
  if (node === undefined) {
    throw new ExpressionError('something is missing behind a "." or between parentheses');
  }
  switch (node.type) {
    case "Identity":
    case "Current":
      return (value) => value;
    case "Field":
      return (value) => member(value, node.name);
    case "Literal":
      return () => node.value;
    case "Index":
      return (value) => Array.isArray(value) ? value.at(node.value) ?? null : null;
    case "Slice":
      return compileSlice(node.children);
    case "Function":
      return compileCall(node.name, node.children);
    case "MultiSelectHash":
      return compileHash(node.children);
    case "MultiSelectList":
      return compileList(node.children);
    case "Comparator":
      return compileComparison(node.name, compile(node.children[0]), compile(node.children[1]));
    case "ExpressionReference":
      throw new ExpressionError('"&" stands outside of a function\'s arguments');
    default:
      return compileOperator(node);
  }
}

type Operator = Extract<Node, { readonly children: readonly [Node, ...Node[]] }>;

function compileOperator(node: Operator): Expression {
  const left = compile(node.children[0]);
  if (node.type === "NotExpression") return (value, run) => !isTrue(left(value, run));
  if (node.type === "Flatten") return (value, run) => flatten(left(value, run), run);
  const right = compile(node.children[1]);
  switch (node.type) {
    case "AndExpression":
      return (value, run) => {
        const first = left(value, run);
        return isTrue(first) ? right(value, run) : first;
      };
    case "OrExpression":
      return (value, run) => {
        const first = left(value, run);
        return isTrue(first) ? first : right(value, run);
      };
    case "Subexpression":
    case "Pipe":
    case "IndexExpression":
      return (value, run) => right(left(value, run), run);
    case "Projection":
      return (value, run) => project(left(value, run), right, run);
    case "ValueProjection":
      return (value, run) => {
        const base = left(value, run);
        return isObject(base) ? project(Object.values(base), right, run) : null;
      };
    case "FilterProjection":
      return compileFilter(left, right, compile(node.children[2]));
    default:
      throw new ExpressionError(`"${node.type}" is not supported`);
  }
}

function compileFilter(left: Expression, right: Expression, condition: Expression): Expression {
  return (value, run) => {
    const base = left(value, run);
    if (!Array.isArray(base)) return null;
    run.spend(base.length);
    return project(base.filter((item) => isTrue(condition(item, run))), right, run);
  };
}

function project(base: ExactJson, right: Expression, run: Run): ExactJson {
  if (!Array.isArray(base)) return null;
  run.spend(base.length);
  return base.map((item) => right(item, run)).filter((item) => item !== null);
}

function flatten(value: ExactJson, run: Run): ExactJson {
  if (!Array.isArray(value)) return null;
  const flat = value.flat();
  run.spend(flat.length);
  return flat;
}

function compileHash(pairs: readonly { readonly name: string; readonly value: Node }[]): Expression {
  const members = pairs.map(({ name, value }) => ({ name, expression: compile(value) }));
  return (value, run) => {
    if (value === null) return null;
    run.spend(members.length);
    const object: { [name: string]: ExactJson } = {};
    for (const { name, expression } of members) setMember(object, name, expression(value, run));
    return object;
  };
}

function compileList(children: readonly Node[]): Expression {
  const items = children.map(compile);
  return (value, run) => {
    if (value === null) return null;
    run.spend(items.length);
    return items.map((item) => item(value, run));
  };
}

function compileComparison(name: Comparison, left: Expression, right: Expression): Expression {
  if (name === "EQ") return (value, run) => isEqual(left(value, run), right(value, run), run.spend);
  if (name === "NE") return (value, run) => !isEqual(left(value, run), right(value, run), run.spend);
  const holds = ORDER[name];
  return (value, run) => {
    const a = toDouble(left(value, run));
    const b = toDouble(right(value, run));
    return a === null || b === null ? null : holds(a, b);
  };
}

/** The specification orders numbers only; any other comparison is null. */
const ORDER = {
  GT: (a: number, b: number) => a > b,
  GTE: (a: number, b: number) => a >= b,
  LT: (a: number, b: number) => a < b,
  LTE: (a: number, b: number) => a <= b,
} as const;

function compileSlice(
  [start, stop, step]: readonly [number | null, number | null, number | null],
): Expression {
  const stride = step ?? 1;
  if (stride === 0) throw new ExpressionError("a slice has a step of 0");
  return (value, run) => {
    if (!Array.isArray(value)) return null;
    const from = bound(start ?? (stride > 0 ? 0 : value.length - 1), value.length, stride);
    const to = stop === null ? (stride > 0 ? value.length : -1) : bound(stop, value.length, stride);
    const items: ExactJson[] = [];
    for (let i = from; stride > 0 ? i < to : i > to; i += stride) items.push(value[i]!);
    run.spend(items.length);
    return items;
  };
}

/** An end of a slice, counted from the end when negative, within the list. */
function bound(index: number, length: number, stride: number): number {
  const absolute = index < 0 ? index + length : index;
  return stride > 0 ? Math.max(0, Math.min(length, absolute)) : Math.max(-1, Math.min(length - 1, absolute));
}

function compileCall(name: string | undefined, children: readonly Node[]): Expression {
  if (name === "message") {
    if (children.length > 0) throw new ExpressionError("message() takes no arguments");
    return (_value, run) => run.message();
  }
  const builtIn = BUILT_INS.get(name ?? "");
  if (builtIn === undefined) throw new ExpressionError(`unknown function ${name ?? ""}()`);
  const [fewest, most] = builtIn.arity;
  if (children.length < fewest || children.length > most) {
    const wanted = most === fewest ? `${fewest}` : `at least ${fewest}`;
    throw new ExpressionError(`${name}() has ${children.length} arguments, expected ${wanted}`);
  }
  const args = children.map(compileArgument);
  return (value, run) => {
    run.spend(1);
    return builtIn.call(new Arguments(name ?? "", args.map((argument) => argument(value, run)), run.spend));
  };
}

function compileArgument(node: Node): (value: ExactJson, run: Run) => ExactJson | Key {
  if (node?.type !== "ExpressionReference") return compile(node);
  const expression = compile(node.children[0]);
  return (_value, run) => (item) => expression(item, run);
}
