/**
 * Partitions that the pipeline chooses: the number that a template gives for each message.
 *
 * Whether the topic has that partition is the sink's affair: topics get partitions added.
 *
 * @module
 */

import type { Problem } from "../base/errors.ts";
import { compileTemplate, fixedText, isProblem, type Template } from "./template.ts";
import { type MessageVariables, RouteError } from "./variables.ts";

/** The field of the configuration. */
const FIELD = "partition";

/** The highest number that a partition can have: pages and protocols hold 32 bits with a sign. */
const NUMBER_MAX = 0x7fff_ffff;

const WANTED = `a whole number from 0 to ${NUMBER_MAX}`;

/** A compiled template of partitions. */
export interface PartitionPlan {
  /** As it was written, for errors. */
  readonly source: string;
  readonly template: Template;
  /** The number that every message gets, or null when each gives its own. */
  readonly fixed: number | null;
}

/** Compile a template of partitions. */
export function compilePartition(source: string): PartitionPlan | Problem {
  const template = compileTemplate(FIELD, source);
  if (isProblem(template)) return template;
  const text = fixedText(template);
  const fixed = text === null ? null : numberIn(text);
  if (text !== null && fixed === null) {
    return { field: FIELD, message: `Cannot use ${FIELD}: "${source}", expected ${WANTED}` };
  }
  return { source, template, fixed };
}

/**
 * The partition of the message that the variables stand at.
 *
 * @throws {RouteError} when the message lacks a value, or gives no number
 */
export function partitionOf({ source, template, fixed }: PartitionPlan, variables: MessageVariables): number {
  if (fixed !== null) return fixed;
  const text = variables.render(FIELD, template);
  const number = numberIn(text);
  if (number !== null) return number;
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  throw new RouteError(
    "PARTITION_INVALID",
    `Cannot use ${FIELD} "${source}": the message gives "${shown}", expected ${WANTED}`,
  );
}

/** A text of digits as a number, or null for any other text and a number that is too high. */
function numberIn(text: string): number | null {
  if (!/^[0-9]+$/.test(text)) return null;
  const number = Number(text);
  return number <= NUMBER_MAX ? number : null;
}
