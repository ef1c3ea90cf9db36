/**
 * Exceptions from a rule, each with its reason.
 *
 * @module
 */

import type { Problem } from "./source_tree.ts";

/** What is exempt, by a name that the rule gives it, and why. */
export type Waivers = Readonly<Record<string, string>>;

/** A problem that a waiver may excuse. */
export interface Finding {
  /** What a waiver names: a path, or a path and a name within. */
  readonly subject: string;
  readonly problem: Problem;
}

/** The findings that nothing excuses, and the waivers that excuse nothing: a table of exceptions may only shrink. */
export function unexcused(findings: readonly Finding[], waivers: Waivers): readonly Problem[] {
  const needed = new Set(findings.map(({ subject }) => subject));
  const stale = Object.keys(waivers).filter((subject) => !needed.has(subject));
  return [
    ...findings.filter(({ subject }) => !Object.hasOwn(waivers, subject)).map(({ problem }) => problem),
    ...stale.map((subject) => `${subject}: has a waiver that it does not need`),
  ];
}
