/**
 * The syntax tree that `npm:jmespath` parses an expression into, as far as it is relied on.
 *
 * @module
 */

import type { ExactJson } from "../base/exact_json.ts";

/** A node of the tree. */
export type Node =
  | { readonly type: "Field"; readonly name: string }
  | { readonly type: "Literal"; readonly value: ExactJson }
  | { readonly type: "Index"; readonly value: number }
  | { readonly type: "Slice"; readonly children: readonly [number | null, number | null, number | null] }
  | { readonly type: "Comparator"; readonly name: Comparison; readonly children: readonly [Node, Node] }
  | { readonly type: "MultiSelectHash"; readonly children: readonly { name: string; value: Node }[] }
  | { readonly type: "MultiSelectList"; readonly children: readonly Node[] }
  | { readonly type: "Function"; readonly name: string; readonly children: readonly Node[] }
  | { readonly type: "FilterProjection"; readonly children: readonly [Node, Node, Node] }
  | { readonly type: BinaryType; readonly children: readonly [Node, Node] }
  | { readonly type: UnaryType; readonly children: readonly [Node] }
  | { readonly type: "Identity" | "Current" };

/** Comparators, as the parser names them. */
export type Comparison = "EQ" | "NE" | "GT" | "GTE" | "LT" | "LTE";

/** Nodes with two children. */
export type BinaryType =
  | "AndExpression"
  | "IndexExpression"
  | "OrExpression"
  | "Pipe"
  | "Projection"
  | "Subexpression"
  | "ValueProjection";

/** Nodes with one child. */
export type UnaryType = "ExpressionReference" | "Flatten" | "NotExpression";

/** A token of an expression. */
export interface Token {
  readonly type: string;
  readonly value: unknown;
  /** Index of its first character. */
  readonly start: number;
}
