/**
 * Destinations: the topic of each message, and the different topics of a page.
 *
 * @module
 */

import { OPS } from "@pg-tide/sdk";
import { RouteError } from "./variables.ts";

/** What a topic's name may look like; the sink's word. */
export interface TopicRule {
  /** A regular expression that the whole name must match. */
  readonly pattern: string;
  /** What the pattern means, for errors. */
  readonly doc: string;
}

/** Kafka's rule for the names of topics. */
export const KAFKA_TOPIC: TopicRule = {
  pattern: "(?!\\.{1,2}$)[a-zA-Z0-9._-]{1,249}",
  doc: 'at most 249 letters, digits, ".", "_" and "-"',
};

/** No rule but that there is a name. */
export const ANY_TOPIC: TopicRule = { pattern: "[^]+", doc: "a text that is not empty" };

/** A compiled {@link TopicRule}. */
export class TopicCheck {
  readonly #whole: RegExp;
  readonly doc: string;

  constructor(rule: TopicRule) {
    this.#whole = new RegExp(`^(?:${rule.pattern})$`, "u");
    this.doc = rule.doc;
  }

  /** Whether a topic may have this name. */
  accepts(topic: string): boolean {
    return this.#whole.test(topic);
  }
}

/** The different topics of one page, in the order in which they came up. */
export class TopicDictionary {
  readonly topics: string[] = [];
  readonly #check: TopicCheck;
  readonly #indices = new Map<string, number>();
  readonly #byOp: (number | undefined)[] = new Array(OPS.length).fill(undefined);

  constructor(check: TopicCheck) {
    this.#check = check;
  }

  /**
   * The index of a topic.
   *
   * @throws {RouteError} when no topic may have that name
   */
  index(topic: string): number {
    const known = this.#indices.get(topic);
    if (known !== undefined) return known;
    if (!this.#check.accepts(topic)) {
      const shown = topic.length > 260 ? `${topic.slice(0, 260)}…` : topic;
      throw new RouteError("TOPIC_INVALID", `Cannot send to topic "${shown}": expected ${this.#check.doc}`);
    }
    const index = this.topics.push(topic) - 1;
    this.#indices.set(topic, index);
    return index;
  }

  /** The index of a topic that depends on nothing but the op, rendered once for each. */
  indexByOp(op: number, render: () => string): number {
    return this.#byOp[op] ??= this.index(render());
  }
}
