/**
 * Text to syntax tree. The parser is `npm:jmespath`'s; around it stands what that parser lets pass or leaves unsaid: missing
 * commas, unclosed literals, a dot with nothing behind it, and where in the text a mistake is.
 *
 * @module
 */

import jmespath from "jmespath";
import { messageOf } from "../base/errors.ts";
import type { Node, Token } from "./node.ts";

/** The longest expression, in characters. Longer ones are programs, and belong where the message is published. */
export const EXPRESSION_LENGTH_MAX = 16_384;

/** A mistake in an expression; the message says where and what. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
}

/** Tokens that can end an operand, and tokens that can begin one: between the two there is always an operator. */
const ENDS_OPERAND = new Set([
  "Current",
  "Flatten",
  "Literal",
  "Number",
  "QuotedIdentifier",
  "Rbrace",
  "Rbracket",
  "Rparen",
  "Star",
  "UnquotedIdentifier",
]);
const BEGINS_OPERAND = new Set([
  "Current",
  "Expref",
  "Lbrace",
  "Literal",
  "Not",
  "QuotedIdentifier",
  "UnquotedIdentifier",
]);

/**
 * Parse a JMESPath expression.
 *
 * @throws {ExpressionError} when it is not one
 */
export function parseExpression(text: string): Node {
  if (text.length > EXPRESSION_LENGTH_MAX) {
    throw new ExpressionError(`${text.length} characters, expected at most ${EXPRESSION_LENGTH_MAX}`);
  }
  const tokens = tokenize(text, scanQuotes(text));
  checkNeighbours(text, tokens);
  try {
    return jmespath.compile(text) as Node;
  } catch (error) {
    if (error instanceof RangeError) throw new ExpressionError("it nests too deeply");
    if (messageOf(error).includes("undefined(undefined)")) {
      throw new ExpressionError("a slice holds something other than numbers");
    }
    throw mistake(text, mistakePosition(text, tokens), "unexpected");
  }
}

/** An error that names a place: `unexpected "]" at character 5`. */
export function mistake(text: string, position: number, what: string): ExpressionError {
  if (position >= text.trimEnd().length) return new ExpressionError(`${what} end of the expression`);
  const rest = text.slice(position).match(/^(?:\w+|\S)/)?.[0] ?? "";
  return new ExpressionError(`${what} "${rest}" at character ${position + 1}`);
}

/** A literal or quoted name, with its quotes. */
interface Quoted {
  readonly start: number;
  readonly end: number;
}

/** The literals and quoted names of an expression; refuses those that the lexer accepts or reads wrongly. */
function scanQuotes(text: string): readonly Quoted[] {
  const found: Quoted[] = [];
  for (let start = 0; start < text.length; start++) {
    const quote = text[start]!;
    if (quote !== "'" && quote !== "`" && quote !== '"') continue;
    const last = closingQuote(text, start);
    if (last < 0) throw new ExpressionError(`the ${quote} at character ${start + 1} is never closed`);
    checkQuoted(text, { start, end: last + 1 });
    found.push({ start, end: last + 1 });
    start = last;
  }
  return found;
}

function closingQuote(text: string, start: number): number {
  const quote = text[start]!;
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === quote) return at;
    if (text[at] === "\\" && (text[at + 1] === "\\" || text[at + 1] === quote)) at++;
  }
  return -1;
}

function checkQuoted(text: string, { start, end }: Quoted): void {
  const quoted = text.slice(start, end);
  // The lexer unescapes only the first of them.
  if (quoted[0] !== '"' && quoted.split(`\\${quoted[0]}`).length > 2) {
    const advice = "write it in the other kind of quotes";
    throw new ExpressionError(
      `the literal at character ${start + 1} escapes its quote more than once: ${advice}`,
    );
  }
  try {
    jmespath.tokenize(quoted);
  } catch {
    throw new ExpressionError(`the text in ${quoted[0]} at character ${start + 1} is not JSON`);
  }
}

function tokenize(text: string, quoted: readonly Quoted[]): readonly Token[] {
  const tokens = (() => {
    try {
      return jmespath.tokenize(text) as (Token | undefined)[];
    } catch (error) {
      const character = messageOf(error).replace(/^Unknown character:/, "");
      throw mistake(
        text,
        indexOutside(text, quoted, (at) => text[at] === character && !isFilter(text, at)),
        "unexpected",
      );
    }
  })();
  // The lexer gives no token at all for a single "=".
  if (tokens.includes(undefined)) {
    const single = indexOutside(
      text,
      quoted,
      (at) => text[at] === "=" && !isOperatorEnd(text, at) && text[at + 1] !== "=",
    );
    throw new ExpressionError(`unexpected "=" at character ${single + 1}: equality is "=="`);
  }
  return tokens as Token[];
}

/** Whether a character is the "?" of "[?". */
function isFilter(text: string, at: number): boolean {
  return text.startsWith("[?", at - 1);
}

/** Whether the "=" at a place ends "==", "!=", "<=" or ">=". */
function isOperatorEnd(text: string, at: number): boolean {
  let signs = 0;
  while (text[at - 1 - signs] === "=") signs++;
  return /[<>!]/.test(text[at - 1 - signs] ?? "") ? signs % 2 === 0 : signs % 2 === 1;
}

/** The first place outside of quotes that satisfies a condition. */
function indexOutside(text: string, quoted: readonly Quoted[], holds: (at: number) => boolean): number {
  for (let at = 0; at < text.length; at++) {
    const inside = quoted.find(({ start }) => start === at);
    if (inside !== undefined) at = inside.end - 1;
    else if (holds(at)) return at;
  }
  return text.length;
}

/**
 * Refuse what the parser ignores: operands that stand side by side, as in `(a b)` and `[a b]`, and the third colon of a
 * slice.
 */
function checkNeighbours(text: string, tokens: readonly Token[]): void {
  let colons = 0;
  for (let i = 0; i < tokens.length; i++) {
    const { type } = tokens[i]!;
    if (type !== "Number") colons = type === "Colon" ? colons + 1 : 0;
    if (colons > 2) throw mistake(text, tokens[i]!.start, "unexpected");
    if (i > 0 && ENDS_OPERAND.has(tokens[i - 1]!.type) && BEGINS_OPERAND.has(type)) {
      throw mistake(text, tokens[i]!.start, "unexpected");
    }
  }
}

/**
 * Where the parser gives up. It does not say, but it reads from left to right: the first token with which even the
 * beginning of the expression is wrong, in another way than by ending too early, is the one.
 */
function mistakePosition(text: string, tokens: readonly Token[]): number {
  for (let i = 0; i < tokens.length; i++) {
    const end = tokens[i + 1]?.start ?? text.length;
    try {
      jmespath.compile(text.slice(0, end));
    } catch (error) {
      if (!/EOF|undefined/.test(messageOf(error))) return tokens[i]!.start;
    }
  }
  return text.length;
}
