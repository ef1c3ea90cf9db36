/**
 * What every sink and every format must do, as cases that anybody can run over their plugin: `pg-tide plugin test FILE` does, and
 * so do the tests of the built-in ones.
 *
 * A case gets a way to open the plugin and throws a {@link ConformanceError} that says what the plugin did and what the contract
 * asks. The cases that deliver really send records, to the topic of the subject.
 *
 * @module
 */

import type { Answer, EncodedPage, Fault, MessagePage, RecordPage } from "./contract.ts";
import { columnOf, nullColumn } from "./column.ts";
import { encodeHeaders, type Header } from "./headers.ts";

/** A plugin did what the contract does not allow. */
export class ConformanceError extends Error {
  /** Tells it apart where the class is lost. */
  override readonly name = "ConformanceError";
}

/** An opened sink, as the cases use it. */
export interface SinkUnderTest {
  /** As `OpenSink.deliver`. */
  deliver(page: RecordPage, generation: number): Promise<Answer>;
  /** As `OpenSink.close`. */
  close(): Promise<void>;
}

/** A sink to run the cases over. */
export interface SinkSubject {
  /** Where the records go. */
  readonly topic: string;
  /** Open the sink; rejects when it cannot. */
  open(): Promise<SinkUnderTest>;
}

/** An opened format, as the cases use it. */
export interface FormatUnderTest {
  /** As `OpenFormat.encode`; a fault where that throws. */
  encode(page: MessagePage): Promise<{ readonly encoded: EncodedPage } | { readonly fault: Fault }>;
  /** As `OpenFormat.close`. */
  close(): Promise<void>;
}

/** A format to run the cases over. */
export interface FormatSubject {
  /** Open the format; rejects when it cannot. */
  open(): Promise<FormatUnderTest>;
}

/** What goes into one record of a test page. */
interface Draft {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly Header[];
  /** The partition that it names, if it does. */
  readonly partition?: number;
}

/** Below a mebibyte, which is what most brokers take. */
const LARGE_VALUE_LENGTH = 900_000;

/** No topic has so many. */
const PARTITION_MAX = 0x7fff_ffff;

/** When the records of the suite were published. */
const CREATED_MS = Date.UTC(2026, 0, 1);

/** The cases for sinks, by what they ask for. */
export const SINK_CASES: Readonly<Record<string, (subject: SinkSubject) => Promise<void>>> = {
  "opens and closes": (subject) => withSink(subject, () => Promise.resolve()),

  "opens again after it was closed": async (subject) => {
    await withSink(subject, () => Promise.resolve());
    await withSink(subject, (sink) => deliverAll(sink, subject, drafts(1)));
  },

  "answers for a single record": (subject) =>
    withSink(subject, (sink) => deliverAll(sink, subject, drafts(1))),

  "answers for every record of a page": (subject) =>
    withSink(subject, (sink) => deliverAll(sink, subject, drafts(1_000))),

  "answers for records without key, value or headers": (subject) =>
    withSink(subject, (sink) =>
      deliverAll(sink, subject, [
        { key: null, value: "{}", headers: [] },
        { key: "key", value: null, headers: [] },
        { key: null, value: null, headers: [["a", null]] },
        { key: "", value: "", headers: [["", ""]] },
      ])),

  "answers for text beyond ASCII": (subject) =>
    withSink(subject, (sink) =>
      deliverAll(sink, subject, [
        { key: "Schlüssel", value: '{"name":"東京 🗼"}', headers: [["größe", "ÄÖÜ"]] },
      ])),

  "answers for a large record": (subject) =>
    withSink(subject, async (sink) => {
      const value = JSON.stringify("x".repeat(LARGE_VALUE_LENGTH));
      const records = [{ key: "large", value, headers: [] }, ...drafts(1)];
      // Whether it is delivered or rejected is the sink's affair; its neighbour must not suffer.
      const answer = await deliver(sink, subject, records, 1);
      const spoilt = answer.rejected.some(({ index }) => index === 1);
      if (spoilt) throw new ConformanceError("The record after a large one was rejected");
    }),

  "answers pages that are given before the last one is answered": (subject) =>
    withSink(subject, async (sink) => {
      await Promise.all([100, 1, 50, 10].map((count) => deliverAll(sink, subject, drafts(count))));
    }),

  "answers for the same records in a later generation": (subject) =>
    withSink(subject, async (sink) => {
      await deliverAll(sink, subject, drafts(10), 1);
      await deliverAll(sink, subject, drafts(10), 2);
    }),
};

/** Further cases for sinks with `partitions`, by what they ask for. The topic has a partition 0. */
export const PARTITION_CASES: Readonly<Record<string, (subject: SinkSubject) => Promise<void>>> = {
  "answers for records that name a partition, beside others": (subject) =>
    withSink(subject, (sink) =>
      deliverAll(
        sink,
        subject,
        drafts(100).map((draft, i) => i % 3 === 0 ? draft : { ...draft, partition: i % 3 === 1 ? 0 : -1 }),
      )),

  "answers for a record that names a partition which there is none of": (subject) =>
    withSink(subject, async (sink) => {
      const records = drafts(3).map((draft, i) => ({ ...draft, partition: i === 1 ? PARTITION_MAX : 0 }));
      // Not every sink knows how many there are. One that does must not take its neighbours for the same.
      const { rejected, failed } = await deliver(sink, subject, records, 1);
      if (failed.length > 0) {
        throw new ConformanceError(`Record ${failed[0]!.index} is to be tried again, for ever`);
      }
      const spoilt = rejected.find(({ index }) => index !== 1);
      if (spoilt) {
        throw new ConformanceError(
          `Record ${spoilt.index} names a partition that there is, and was rejected`,
        );
      }
    }),
};

/** The cases for formats, by what they ask for. */
export const FORMAT_CASES: Readonly<Record<string, (subject: FormatSubject) => Promise<void>>> = {
  "opens and closes": (subject) => withFormat(subject, () => Promise.resolve()),
  "encodes a single message": (subject) => withFormat(subject, (format) => encode(format, ['{"a":1}'])),
  "accounts for every message of a page": (subject) =>
    withFormat(
      subject,
      (format) => encode(format, Array.from({ length: 1_000 }, (_, i) => JSON.stringify({ i }))),
    ),
  "accounts for payloads that are no objects": (subject) =>
    withFormat(subject, (format) => encode(format, ["null", "1", '"text"', "[]", "true", "{}"])),
  "accounts for text beyond ASCII and long numbers": (subject) =>
    withFormat(subject, (format) => encode(format, ['{"name":"東京 🗼"}', '{"n":12345678901234567890.10}'])),
  "accounts for a large message": (subject) =>
    withFormat(subject, (format) => encode(format, [JSON.stringify({ x: "x".repeat(LARGE_VALUE_LENGTH) })])),
  "accounts for messages that name a partition": (subject) =>
    withFormat(subject, (format) => encode(format, ["{}", "1", "null", "{}"], Int32Array.of(2, -1, 0, 2))),
  "encodes page after page": (subject) =>
    withFormat(subject, async (format) => {
      for (let page = 0; page < 5; page++) await encode(format, [`{"page":${page}}`, "{}"]);
    }),
};

/**
 * Check that an answer is whole: an outcome for every record, each once, in rising ranges.
 *
 * @throws {ConformanceError} when it is not
 */
export function assertWholeAnswer(answer: Answer, count: number): void {
  const outcomes = new Uint8Array(count);
  const { delivered, rejected, failed, fault } = answer;
  let last = 0;
  for (let i = 0; i < delivered.length; i += 2) {
    const from = delivered[i]!;
    const to = delivered[i + 1] ?? 0;
    if (from < last || to <= from || to > count) {
      throw new ConformanceError(`The range ${from} to ${to} does not rise within ${count} records`);
    }
    outcomes.fill(1, from, to);
    last = to;
  }
  for (const { index } of [...rejected, ...failed]) {
    if (outcomes[index] !== 0) {
      throw new ConformanceError(`Record ${index} has two outcomes, or is not of the page`);
    }
    outcomes[index] = 1;
  }
  const open = outcomes.indexOf(0);
  if (open >= 0) {
    throw new ConformanceError(`Record ${open} has no outcome${fault ? `: ${shown(fault)}` : ""}`);
  }
}

async function withSink(subject: SinkSubject, use: (sink: SinkUnderTest) => Promise<void>): Promise<void> {
  const sink = await subject.open();
  try {
    await use(sink);
  } finally {
    await sink.close();
  }
}

async function withFormat(
  subject: FormatSubject,
  use: (format: FormatUnderTest) => Promise<void>,
): Promise<void> {
  const format = await subject.open();
  try {
    await use(format);
  } finally {
    await format.close();
  }
}

/** Deliver records of which none may fail. */
async function deliverAll(
  sink: SinkUnderTest,
  subject: SinkSubject,
  records: readonly Draft[],
  generation = 1,
): Promise<void> {
  const answer = await deliver(sink, subject, records, generation);
  const [bad] = [...answer.rejected, ...answer.failed];
  if (bad !== undefined) {
    throw new ConformanceError(`Record ${bad.index} was not delivered: ${bad.code}: ${bad.reason}`);
  }
}

async function deliver(
  sink: SinkUnderTest,
  { topic }: SinkSubject,
  records: readonly Draft[],
  generation: number,
): Promise<Answer> {
  const answer = await sink.deliver(recordPage(topic, records), generation);
  assertWholeAnswer(answer, records.length);
  return answer;
}

async function encode(
  format: FormatUnderTest,
  payloads: readonly string[],
  partition?: Int32Array<ArrayBuffer>,
): Promise<void> {
  const result = await format.encode({ ...messagePage(payloads), ...(partition && { partition }) });
  if ("fault" in result) throw new ConformanceError(`The page was not encoded: ${shown(result.fault)}`);
  const { page, messageIndex, rejected } = result.encoded;
  if (page.count !== messageIndex.length) {
    throw new ConformanceError(`${page.count} records, but ${messageIndex.length} message indices`);
  }
  if (page.partition !== undefined && page.partition.length !== page.count) {
    throw new ConformanceError(`${page.count} records, but ${page.partition.length} partitions`);
  }
  for (const { index, code } of rejected) {
    if (index >= payloads.length || messageIndex.includes(index)) {
      throw new ConformanceError(
        `Message ${index} is rejected (${code}), but is not of the page or has records`,
      );
    }
  }
  for (let i = 0; i < page.count; i++) {
    if (page.ids[i] !== messageIndex[i]! + 1) {
      throw new ConformanceError(`Record ${i} has id ${page.ids[i]}, its message ${messageIndex[i]! + 1}`);
    }
  }
}

function drafts(count: number): Draft[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `key-${i % 7}`,
    value: JSON.stringify({ i }),
    headers: [["pg_tide_op", "insert"]],
  }));
}

function recordPage(topic: string, records: readonly Draft[]): RecordPage {
  const count = records.length;
  const named = records.some(({ partition }) => partition !== undefined);
  return {
    ...common(topic, count),
    ...(named && { partition: Int32Array.from(records, ({ partition }) => partition ?? -1) }),
    key: columnOf(records.map(({ key }) => key)),
    value: columnOf(records.map(({ value }) => value)),
    headers: columnOf(records.map(({ headers }) => encodeHeaders(headers))),
  };
}

function messagePage(payloads: readonly string[]): MessagePage {
  const count = payloads.length;
  return {
    ...common("conformance", count),
    ops: new Uint8Array(count),
    key: columnOf(payloads.map((_, i) => i % 2 === 0 ? `key-${i}` : null)),
    headers: columnOf(payloads.map(() => encodeHeaders([["pg_tide_op", "insert"]]))),
    payload: columnOf(payloads),
    previous: nullColumn(count),
    dedupKey: columnOf(payloads.map((_, i) => i % 3 === 0 ? `dedup-${i}` : null)),
  };
}

function common(topic: string, count: number) {
  return {
    count,
    ids: Float64Array.from({ length: count }, (_, i) => i + 1),
    createdMs: new Float64Array(count).fill(CREATED_MS),
    topics: [topic],
    topic: new Uint16Array(count),
  };
}

function shown(fault: Fault): string {
  return fault.kind === "hosts"
    ? `it must reach ${fault.hosts.join(", ")}`
    : `${fault.code}: ${fault.reason}`;
}
