/**
 * The route of a pipeline: topic, key, partition and record headers of each message.
 *
 * A record carries, in this order, `pg_tide_outbox`, `pg_tide_op`, `pg_tide_id` (the outbox's incarnation and the
 * message's id, the same whenever the message is sent again), `pg_tide_retry` when it was a dead letter (how often it
 * was sent again, with this time), `pg_tide_dedup_key` where the key is not the deduplication key, the pipeline's own
 * `headers`, and the message's own; one of those takes the place of the pipeline's header of the same name. Names that
 * begin with `pg_tide_` are the relay's: consumers rely on them, so a message that brings one is rejected
 * (`HEADER_RESERVED`) rather than sent without it.
 *
 * @module
 */

import { type Column, ColumnBuilder, type MessagePage, NULL_RANGE, valueAt } from "@pg-tide/sdk";
import type { Problem } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Page, Resent } from "../record/page.ts";
import type { RowRejection } from "../record/rejection.ts";
import { selectRows } from "../record/select.ts";
import { type Again, HeaderPlan, HeaderWriter, RESERVED_PREFIX } from "./header_list.ts";
import type { Route, Routed } from "./mod.ts";
import { compilePartition, partitionOf, type PartitionPlan } from "./partition.ts";
import { compileTemplate, fixedText, isProblem, type Template, type TemplatePart } from "./template.ts";
import { ANY_TOPIC, TopicCheck, TopicDictionary, type TopicRule } from "./topic.ts";
import { MessageVariables, RouteError } from "./variables.ts";

/** What to compile. */
export interface RouteOptions {
  /** The outbox's bare name. */
  readonly outbox: string;
  /** The outbox's incarnation, the first part of `pg_tide_id`. */
  readonly incarnation: string;
  /** Template of the topic; `null` is the outbox's name. */
  readonly topic: string | null;
  /** Template of the record's key; `null` is the deduplication key as it stands, or no key without one. */
  readonly messageKey: string | null;
  /** Template of the partition's number; `null` leaves the choice to the sink. */
  readonly partition: string | null;
  /** The pipeline's own headers; `null` is none. */
  readonly headers: Readonly<Record<string, string>> | null;
  /** What the sink says about names of topics. Default: anything but an empty name. */
  readonly topicRule?: TopicRule;
}

/** A route, or why there is none. */
export type CompiledRoute =
  | { readonly route: Route; readonly problems: readonly [] }
  | { readonly route: null; readonly problems: readonly Problem[] };

/** Compile a pipeline's route. */
export function compileRoute(options: RouteOptions): CompiledRoute {
  const check = new TopicCheck(options.topicRule ?? ANY_TOPIC);
  const topic = compileTemplate("topic", options.topic ?? "{outbox}");
  const key = options.messageKey === null ? null : compileTemplate("message_key", options.messageKey);
  const partition = options.partition === null ? null : compilePartition(options.partition);
  const fixed = new Map(Object.entries(options.headers ?? {}));
  const problems = reservedNames(fixed.keys());
  if (isProblem(topic) || isProblem(key) || isProblem(partition)) {
    return { route: null, problems: [...problems, ...[topic, key, partition].filter(isProblem)] };
  }

  const plan: RoutePlan = {
    outbox: options.outbox,
    topic: foldOutbox(topic, options.outbox),
    key: key === null ? null : foldOutbox(key, options.outbox),
    partition,
    headers: new HeaderPlan({ outbox: options.outbox, incarnation: options.incarnation, fixed }),
    check,
  };
  const fixedTopic = fixedText(plan.topic);
  if (fixedTopic !== null && !check.accepts(fixedTopic)) {
    problems.push({ field: "topic", message: `Cannot use topic: "${fixedTopic}", expected ${check.doc}` });
  }
  if (problems.length > 0) return { route: null, problems };
  return { route: (page) => new PageRoute(plan, page).run(), problems: [] };
}

function reservedNames(names: Iterable<string>): Problem[] {
  return [...names].filter((name) => name.startsWith(RESERVED_PREFIX)).map((name) => ({
    field: `headers.${name}`,
    message:
      `Cannot use headers: names that begin with "${RESERVED_PREFIX}" are the relay's own, expected another`,
  }));
}

interface RoutePlan {
  readonly outbox: string;
  readonly topic: Template;
  /** `null` is the deduplication key as it stands. */
  readonly key: Template | null;
  /** `null` is the sink's choice. */
  readonly partition: PartitionPlan | null;
  readonly headers: HeaderPlan;
  readonly check: TopicCheck;
}

/** The outbox's name is known when the pipeline starts: write it into the text. */
function foldOutbox(template: Template, outbox: string): Template {
  const parts: TemplatePart[] = [];
  for (const part of template.parts) {
    const isOutbox = part.kind === "variable" &&
      (part.variable === "outbox" || part.variable === "stream_table");
    const text = isOutbox ? outbox : part.kind === "text" ? part.text : null;
    const last = parts.at(-1);
    if (text === null) parts.push(part);
    else if (last?.kind === "text") parts[parts.length - 1] = { kind: "text", text: last.text + text };
    else parts.push({ kind: "text", text });
  }
  return { parts };
}

function dependsOnOpAlone({ parts }: Template): boolean {
  return parts.every((part) => part.kind === "text" || part.variable === "op");
}

function isDedupKey({ parts }: Template): boolean {
  const [part] = parts;
  return parts.length === 1 && part?.kind === "variable" && part.variable === "dedup_key" &&
    part.fallback === null;
}

/** One page on its way through. */
class PageRoute {
  readonly #plan: RoutePlan;
  readonly #page: Page;
  readonly #variables: MessageVariables;
  readonly #dictionary: TopicDictionary;
  readonly #headers: HeaderWriter;
  readonly #topic: Uint16Array<ArrayBuffer>;
  readonly #rows: Uint32Array;
  readonly #rejected: RowRejection[] = [];
  /** The topic of every message, or -1 when it has to be rendered. */
  readonly #fixedTopic: number;
  readonly #topicByOp: boolean;
  /** Whether the key of every message is its deduplication key, which then is not sent as a header. */
  readonly #keyIsDedupKey: boolean;
  readonly #keys: ColumnBuilder | null;
  readonly #partitions: Int32Array<ArrayBuffer> | null;
  #kept = 0;

  constructor(plan: RoutePlan, page: Page) {
    this.#plan = plan;
    this.#page = page;
    this.#variables = new MessageVariables(page, plan.outbox);
    this.#dictionary = new TopicDictionary(plan.check);
    this.#headers = new HeaderWriter(plan.headers, page.count);
    this.#topic = new Uint16Array(page.count);
    this.#rows = new Uint32Array(page.count);
    const fixedTopic = fixedText(plan.topic);
    this.#fixedTopic = fixedTopic === null ? -1 : this.#dictionary.index(fixedTopic);
    this.#topicByOp = dependsOnOpAlone(plan.topic);
    this.#keyIsDedupKey = plan.key === null || isDedupKey(plan.key);
    const shared = plan.key === null || (this.#keyIsDedupKey && !hasNull(page.dedupKey));
    this.#keys = shared ? null : new ColumnBuilder(page.count, 32 * page.count);
    this.#partitions = plan.partition === null ? null : new Int32Array(page.count);
  }

  run(): Routed {
    for (let row = 0; row < this.#page.count; row++) {
      try {
        this.#route(row);
      } catch (error) {
        if (!(error instanceof RouteError)) throw error;
        this.#rejected.push({ row, code: error.code, reason: error.message });
      }
    }
    return this.#finish();
  }

  #route(row: number): void {
    const { ops, ids, dedupKey, headers } = this.#page;
    this.#variables.seek(row);
    const topic = this.#fixedTopic >= 0 ? this.#fixedTopic : this.#renderTopic(ops[row]!);
    const key = this.#keys === null ? null : this.#variables.render("message_key", this.#plan.key!);
    const { partition: template } = this.#plan;
    const partition = template === null ? -1 : partitionOf(template, this.#variables);
    const own = headers.ranges[2 * row] === NULL_RANGE ? null : this.#ownHeaders();
    // Nothing fails from here on: the message has all its parts, or was rejected.
    invariant(topic <= 0xffff, "a page has fewer topics than an index can tell apart");
    if (key !== null) this.#keys!.appendText(key);
    if (this.#partitions !== null) this.#partitions[this.#kept] = partition;
    this.#topic[this.#kept] = topic;
    const again = this.#page.resent === undefined ? null : againOf(this.#page.resent, row);
    this.#headers.write(
      ops[row]!,
      ids[row]!,
      this.#keyIsDedupKey ? null : valueAt(dedupKey, row),
      own,
      again,
    );
    this.#rows[this.#kept++] = row;
  }

  #renderTopic(op: number): number {
    const render = () => this.#variables.render("topic", this.#plan.topic);
    return this.#topicByOp ? this.#dictionary.indexByOp(op, render) : this.#dictionary.index(render());
  }

  #ownHeaders(): ReadonlyMap<string, string> | null {
    const own = this.#variables.headers();
    for (const name of own?.keys() ?? []) {
      if (!name.startsWith(RESERVED_PREFIX)) continue;
      const text =
        `Cannot send the message's header "${name}": names that begin with "${RESERVED_PREFIX}" are the relay's own`;
      throw new RouteError("HEADER_RESERVED", text);
    }
    return own;
  }

  #finish(): Routed {
    if (this.#kept === 0) return { page: null, origin: null, rejected: this.#rejected };
    const whole = this.#kept === this.#page.count;
    const rows = this.#rows.subarray(0, this.#kept);
    const page = whole ? this.#page : selectRows(this.#page, rows);
    const { count, ids, createdMs, ops, payload, previous, dedupKey } = page;
    const routed: MessagePage = {
      count,
      ids,
      createdMs,
      ops,
      topics: this.#dictionary.topics,
      topic: whole ? this.#topic : this.#topic.slice(0, this.#kept),
      ...(this.#partitions === null ? {} : {
        partition: whole ? this.#partitions : this.#partitions.slice(0, this.#kept),
      }),
      key: this.#keys === null ? dedupKey : this.#keys.finish(),
      headers: this.#headers.finish(),
      payload,
      previous,
      dedupKey,
    };
    return { page: routed, origin: whole ? null : rows, rejected: this.#rejected };
  }
}

function againOf({ incarnations, retries }: Resent, row: number): Again {
  return { incarnation: incarnations[row]!, retry: retries[row]! };
}

function hasNull({ ranges }: Column): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i] === NULL_RANGE) return true;
  }
  return false;
}
