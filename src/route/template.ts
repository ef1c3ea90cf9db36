/**
 * Templates over a message's variables: `orders.{op}`, `{payload.customer_id|unknown}`.
 *
 * `{{` and `}}` stand for literal braces. A `|` introduces the text to use when the message lacks the value.
 *
 * @module
 */

import type { Problem } from "../base/errors.ts";
import { nearestName } from "../base/nearest.ts";

/** The variables of a message. `header` and `payload` take a name or a path: `{header.tenant}`, `{payload.items.0.sku}`. */
export const VARIABLES = [
  "stream_table",
  "outbox",
  "op",
  "outbox_id",
  "dedup_key",
  "event_type",
  "header",
  "payload",
] as const;

/** A variable of a message. `stream_table` and `outbox` are the same: the outbox's bare name. */
export type Variable = typeof VARIABLES[number];

/** A literal text, or a variable. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "variable";
    readonly variable: Variable;
    /** The header's name, or the path into the payload; empty for other variables. */
    readonly path: readonly string[];
    /** The text in place of a value that the message lacks, or null: such a message is rejected. */
    readonly fallback: string | null;
  };

/** A variable of a template. */
export type VariablePart = Extract<TemplatePart, { kind: "variable" }>;

/** A compiled template. */
export interface Template {
  readonly parts: readonly TemplatePart[];
}

/** A template that cannot be used; the message says where and what. */
class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/**
 * Compile a template.
 *
 * @param field the configuration field it stands in, for the problem
 * @param allowed the variables that may be used there
 */
export function compileTemplate(
  field: string,
  text: string,
  allowed: readonly Variable[] = VARIABLES,
): Template | Problem {
  try {
    return { parts: parse(text, allowed) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { field, message: `Cannot use ${field}: "${text}" ${error.message}` };
  }
}

/** The text of a template without variables, else null. */
export function fixedText({ parts }: Template): string | null {
  const [first, second] = parts;
  if (first === undefined) return "";
  return first.kind === "text" && second === undefined ? first.text : null;
}

/** Whether compiling gave a problem. */
export function isProblem(compiled: object | null): compiled is Problem {
  return compiled !== null && "message" in compiled;
}

// Doubled braces, a variable, any other text; then whatever is wrong, a single brace.
const PART_REGEXP = /(\{\{|\}\})|\{([^{}]*)\}|([^{}]+)|(.)/gsu;

function parse(text: string, allowed: readonly Variable[]): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let literal = "";
  for (const { index, 1: doubled, 2: variable, 3: plain, 4: stray } of text.matchAll(PART_REGEXP)) {
    if (stray !== undefined) {
      throw new TemplateError(
        `has a single "${stray}" at character ${index + 1}, expected "${stray}${stray}"`,
      );
    }
    if (variable === undefined) {
      literal += plain ?? doubled?.[0] ?? "";
      continue;
    }
    if (literal !== "") parts.push({ kind: "text", text: literal });
    literal = "";
    parts.push(parseVariable(variable, allowed));
  }
  if (literal !== "") parts.push({ kind: "text", text: literal });
  return parts;
}

function parseVariable(text: string, allowed: readonly Variable[]): VariablePart {
  const bar = text.indexOf("|");
  const whole = bar < 0 ? text : text.slice(0, bar);
  const dot = whole.indexOf(".");
  const name = dot < 0 ? whole : whole.slice(0, dot);
  const variable = allowed.find((candidate) => candidate === name);
  if (variable === undefined) throw unknownVariable(whole, name, allowed);
  return {
    kind: "variable",
    variable,
    path: parsePath(variable, dot < 0 ? null : whole.slice(dot + 1)),
    fallback: bar < 0 ? null : text.slice(bar + 1),
  };
}

function unknownVariable(whole: string, name: string, allowed: readonly Variable[]): TemplateError {
  const nearest = nearestName(name, allowed);
  const hint = nearest === null ? "" : ` (did you mean {${notation(nearest)}}?)`;
  const known = allowed.map((variable) => `{${notation(variable)}}`).join(", ");
  return new TemplateError(`has the unknown variable {${whole}}${hint}, expected one of ${known}`);
}

function notation(variable: string): string {
  if (variable === "header") return "header.NAME";
  return variable === "payload" ? "payload.path" : variable;
}

function parsePath(variable: Variable, path: string | null): readonly string[] {
  if (variable !== "header" && variable !== "payload") {
    if (path === null) return [];
    throw new TemplateError(`asks for {${variable}.${path}}, expected {${variable}}`);
  }
  // A header's name may hold dots; a payload's path is separated by them.
  const steps = variable === "header" ? [path ?? ""] : (path ?? "").split(".");
  if (steps.includes("")) {
    throw new TemplateError(`names nothing in {${variable}.…}, expected {${notation(variable)}}`);
  }
  return steps;
}
