/**
 * What happens to the batches of a partition that came back unacknowledged: sent again, taken apart, rejected, or given up.
 *
 * It runs when all batches of the partition have come back, so that they can be put in order again. The rule about sequence
 * numbers: a batch keeps its numbers, and its parts have the same ones when it is taken apart. When a record is rejected its number
 * would be missing, so the count starts again, with a higher epoch, from there on.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";
import type { Accumulator } from "./accumulator.ts";
import type { Batch, Member } from "./batch.ts";
import { classify, type Decision, mayBeWritten } from "../fault/classify.ts";
import { type Clock, pauseMs } from "../clock.ts";
import type { Options } from "../config/options.ts";
import { blockedFault, exhausted, tooLarge } from "../fault/faults.ts";
import type { PartitionQueue, Returned } from "./partition_queue.ts";
import type { PartitionResult, RecordError } from "../cluster/produce_api.ts";
import { sequenceAfter } from "./sequencer.ts";

/** How often a batch is sent again as it is when it is found damaged, before a record in it is suspected. */
const SUSPECT_ATTEMPTS = 3;

/** The first pause before a batch is sent again, and the longest, in milliseconds (Java: `retry.backoff.ms`). */
const BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 1_000;

/** What must be done after {@link recover}. */
export interface Recovery {
  /** Ends the generation. */
  readonly fault?: Fault;
  /** Ask who leads the partition. */
  readonly refresh: boolean;
  /** Get another producer id before anything is sent. */
  readonly newProducer: boolean;
  /** Send nothing of the partition for so long, in milliseconds. */
  readonly pauseMs: number;
}

/** What {@link recover} needs to know. */
export interface RecoveryContext {
  readonly options: Options;
  readonly accumulator: Pick<Accumulator, "rebatch" | "recycle">;
  readonly clock: Clock;
  readonly nowMs: number;
}

/** Put the returned batches of `queue` back to its front, or settle their records. */
export function recover(queue: PartitionQueue, context: RecoveryContext): Recovery {
  const returned = queue.returned.sort((a, b) => a.batch.order - b.batch.order);
  queue.returned = [];
  const round = new Round(queue, context);
  for (const each of returned) {
    round.take(each);
    if (round.fault !== undefined) break;
  }
  queue.waiting = [...round.resend, ...queue.waiting];
  round.renumber();
  if (round.refresh) queue.sequence?.doubt();
  return {
    ...(round.fault === undefined ? {} : { fault: round.fault }),
    refresh: round.refresh,
    newProducer: round.newProducer || queue.sequence?.exhausted === true,
    pauseMs: round.pauseMs,
  };
}

class Round {
  readonly resend: Batch[] = [];
  fault: Fault | undefined;
  refresh = false;
  newProducer = false;
  pauseMs = 0;
  /** Whether the numbers of all batches from here on are given out anew. */
  #renumbering = false;
  /** Whether a batch was taken apart: those after it were not written, so they count as not sent yet. */
  #brokenUp = false;
  readonly #queue: PartitionQueue;
  readonly #context: RecoveryContext;

  constructor(queue: PartitionQueue, context: RecoveryContext) {
    this.#queue = queue;
    this.#context = context;
  }

  take({ batch, setback }: Returned): void {
    if (setback.kind === "lost") {
      this.refresh = true;
      batch.mayBeWritten = true;
      return this.#again(batch, setback.reason);
    }
    const { result } = setback;
    if (mayBeWritten(result.errorCode)) batch.mayBeWritten = true;
    switch (this.#decide(batch, result)) {
      case "delivered":
        return batch.deliver();
      case "refresh":
        this.refresh = true;
        return this.#again(batch, describe(result));
      case "retry":
      case "suspect":
        return this.#again(batch, describe(result));
      case "split":
        return this.#takeApart(batch, result, []);
      case "reject":
        return this.#takeApart(batch, result, result.recordErrors);
      case "sequence":
        return this.#miscounted(batch, result);
      case "producer":
        this.newProducer = true;
        this.#renumbering = true;
        return this.#again(batch, describe(result));
      case "blocked":
        this.fault = blockedFault(
          result.errorCode,
          result.errorMessage,
          "write to",
          result.topic,
          this.#context.options,
        );
    }
  }

  #decide(batch: Batch, result: PartitionResult): Decision {
    const { decision } = classify(result.errorCode);
    // What else a batch has been through says nothing about its records.
    return decision === "suspect" && ++batch.suspicions > SUSPECT_ATTEMPTS ? "reject" : decision;
  }

  #again(batch: Batch, last: string): void {
    const { clock, nowMs, options } = this.#context;
    if (nowMs - batch.createdAtMs >= options.deliveryTimeoutMs) {
      this.fault = exhausted(this.#queue.topic, this.#queue.partition, last);
      return;
    }
    this.pauseMs = Math.max(this.pauseMs, pauseMs(BACKOFF_MS, BACKOFF_MAX_MS, batch.attempts - 1, clock));
    this.#resend(batch);
  }

  #resend(batch: Batch): void {
    if (this.#renumbering) batch.sequence = -1;
    if (this.#brokenUp || this.#renumbering) batch.ordinal = 0;
    this.resend.push(batch);
  }

  /**
   * Take the old numbers away from what waits and is given others: batches that had come back in an earlier round and were not
   * sent again yet. After a fault nobody sends these batches again, so the count cannot go on.
   */
  renumber(): void {
    if (this.fault !== undefined) this.#queue.sequence?.abandon();
    const from = this.newProducer ? 0 : this.resend.length;
    for (const batch of this.#queue.waiting.slice(from)) {
      if (this.#renumbering) batch.sequence = -1;
      if (this.#brokenUp || this.#renumbering) batch.ordinal = 0;
    }
  }

  /**
   * The broker expected other numbers. If a batch before this one is unacknowledged too, that is the reason and solves
   * itself, without a pause; if not, the broker has lost the count.
   */
  #miscounted(batch: Batch, result: PartitionResult): void {
    if (this.resend.length > 0 || this.#renumbering) {
      batch.attempts--;
      return this.#resend(batch);
    }
    this.#queue.sequence?.abandon();
    this.#renumbering = true;
    this.#again(batch, describe(result));
  }

  /** Reject the records at fault and send the others; without knowing them, send two halves. */
  #takeApart(batch: Batch, result: PartitionResult, errors: readonly RecordError[]): void {
    const members = batch.members();
    const { decision, name } = classify(result.errorCode);
    // The next batches are made smaller; records that are too large by themselves say nothing about the others.
    if (decision === "split" && members.length > 1) {
      this.#queue.batchBytesMax = Math.ceil(batch.recordBytes / 2);
    }
    const faulty = new Map(
      errors.filter(({ index }) => members[index] !== undefined).map((
        { index, message },
      ) => [index, message]),
    );
    if (members.length === 1) faulty.set(0, errors[0]?.message ?? result.errorMessage);
    const parts = faulty.size > 0
      ? [members.filter((_, i) => !faulty.has(i))]
      : decision === "split"
      ? aroundTheLargest(members)
      : halves(members);
    for (const [i, message] of faulty) {
      const member = members[i]!;
      member.delivery.reject(member.index, name, reasonOf(member, batch, result, message));
    }
    if (faulty.size > 0 && !this.#renumbering) {
      this.#queue.sequence?.abandon();
      this.#renumbering = true;
    }
    this.#brokenUp = true;
    let { sequence } = batch;
    for (const each of parts.flatMap((part) => this.#context.accumulator.rebatch(part, batch.createdAtMs))) {
      each.sequence = this.#renumbering ? -1 : sequence;
      if (sequence >= 0) sequence = sequenceAfter(sequence, each.count);
      this.resend.push(each);
    }
  }
}

/** In three parts when a single record makes up most of the batch, else in halves. */
function aroundTheLargest(members: readonly Member[]): Member[][] {
  const sizes = members.map(recordBytes);
  const largest = sizes.indexOf(sizes.reduce((most, size) => Math.max(most, size)));
  const isMost = 2 * sizes[largest]! > sizes.reduce((sum, size) => sum + size, 0);
  if (!isMost) return halves(members);
  return [members.slice(0, largest), members.slice(largest, largest + 1), members.slice(largest + 1)];
}

function halves(members: readonly Member[]): Member[][] {
  const middle = Math.ceil(members.length / 2);
  return [members.slice(0, middle), members.slice(middle)];
}

function reasonOf(member: Member, batch: Batch, result: PartitionResult, message: string | null): string {
  const { name, decision, why } = classify(result.errorCode);
  if (decision === "split") {
    const limit = name === "RECORD_LIST_TOO_LARGE" ? "segment.bytes" : "max.message.bytes";
    return tooLarge(result.topic, recordBytes(member), batch.byteLength, limit);
  }
  const said = message === null || message === "" ? why : message;
  const advice = name === "INVALID_TIMESTAMP"
    ? '. Set timestamp to "now", or widen message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic'
    : "";
  return `Kafka refused the record for topic "${result.topic}": ${name}, ${said}${advice}`;
}

/** Bytes of a record's key, value and headers. */
function recordBytes({ delivery: { page }, index }: Member): number {
  return [page.key, page.value, page.headers].reduce(
    (sum, { ranges }) => sum + ranges[2 * index + 1]! - ranges[2 * index]!,
    0,
  );
}

function describe({ errorCode, errorMessage }: PartitionResult): string {
  const { name, why } = classify(errorCode);
  return errorMessage === null || errorMessage === ""
    ? `${name}, ${why}`
    : `${name}, ${why}: ${errorMessage}`;
}
