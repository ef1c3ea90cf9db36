/**
 * The dispatcher: keeps the sink busy within its budget, and repeats after faults.
 *
 * States: *delivering* (pages are given as there is room); *settling* (the generation has ended, pages in flight are
 * awaited); *recovering* (nothing is in flight: backoff, then the sink is made usable again, then the next generation).
 * *closed* from any state: nothing is given any more, late answers are ignored.
 *
 * @module
 */

import type { Answer, Fault, RecordPage } from "@pg-tide/sdk";
import { textAt } from "@pg-tide/sdk";
import { backoffMs, type BackoffPolicy } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { invariant } from "../base/invariant.ts";
import { LIMITS } from "../base/limits.ts";
import { type DeliveryState, stateOf } from "../record/state.ts";
import type { Casualty } from "./dead_letter_desk.ts";
import type { Sink } from "./mod.ts";
import type { Refused, Shipment } from "./shipment.ts";

/** How the dispatcher retries. */
export interface RetryPolicy extends BackoffPolicy {
  /** Attempts of one message that may end in `failed` before it goes to the dead letters. */
  readonly maxAttempts: number;
}

/** What a dispatcher needs. */
export interface DispatcherOptions {
  readonly sink: Sink;
  readonly clock: Clock;
  readonly retry: BackoffPolicy;
  /** Called after messages became final. */
  readonly onSettled: (delivered: number) => void;
  readonly onState: (state: DeliveryState) => void;
  /** Called once when something failed that only a bug explains. */
  readonly onFailure: (error: unknown) => void;
}

/** Delivers shipments in order. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** Shipments with open records, in order. */
  #queue: Shipment[] = [];
  #inFlight = 0;
  #bytes = 0;
  #generation = 1;
  /** Why the generation has ended, while settling and recovering. */
  #ended: Fault | null = null;
  /** Recoveries since a record was delivered last. */
  #recoveries = 0;
  /** Whether the last state told is one of trouble: a sink that opens again and fails again has not recovered. */
  #troubled = false;
  readonly #closed = new AbortController();
  #hurried = false;
  #poke = new AbortController();
  #waiting: (() => void)[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Whether nothing is on its way. */
  get idle(): boolean {
    return this.#queue.length === 0;
  }

  /** Take a shipment; resolves when there is room for the next one, or the dispatcher is closed. */
  async offer(shipment: Shipment): Promise<void> {
    if (shipment.open === 0) return;
    this.#queue.push(shipment);
    this.#bytes += shipment.bytes;
    this.#pump();
    while (!this.#closed.signal.aborted && !this.#hurried && !this.#hasRoom()) await this.#change();
  }

  /** Make nobody who offers wait for room any more: what is offered now is the last. */
  hurry(): void {
    this.#hurried = true;
    this.#changed();
  }

  /** Resolves when everything offered has its outcome, or the dispatcher is closed. */
  async drained(): Promise<void> {
    while (!this.#closed.signal.aborted && this.#queue.length > 0) await this.#change();
  }

  /**
   * Resolves when all that can be finished without delay has its outcome: a sink in trouble is not waited for. Or when the
   * dispatcher is closed.
   */
  async settled(): Promise<void> {
    while (!this.#closed.signal.aborted && this.#queue.length > 0) {
      if (this.#ended !== null && this.#inFlight === 0) return;
      await this.#change();
    }
  }

  /** Try again now rather than when the backoff ends. */
  poke(): void {
    this.#poke.abort();
  }

  /** Give nothing any more, and ignore answers that come late. */
  close(): void {
    this.#closed.abort();
    this.#poke.abort();
    this.#changed();
  }

  #hasRoom(): boolean {
    const waiting = this.#queue.length - this.#inFlight;
    return this.#ended === null && waiting === 0 && this.#bytes < LIMITS.inFlightBytes &&
      this.#inFlight < this.#options.sink.pagesInFlight;
  }

  /** Give the sink what it may have. */
  #pump(): void {
    if (this.#ended !== null || this.#closed.signal.aborted) return;
    for (const shipment of this.#queue) {
      if (this.#inFlight >= this.#options.sink.pagesInFlight) return;
      if (shipment.generation === this.#generation) continue;
      this.#ship(shipment);
    }
  }

  #ship(shipment: Shipment): void {
    shipment.generation = this.#generation;
    this.#inFlight++;
    this.#options.sink.deliver(
      shipment.give(),
      this.#generation,
      (count) => this.#progressed(shipment, count),
    )
      .then((answer) => this.#answered(shipment, answer))
      .catch((error) => this.#options.onFailure(error));
  }

  /** Some of a shipment's records are delivered, before its answer: they need not come again after a crash. */
  #progressed(shipment: Shipment, count: number): void {
    if (this.#closed.signal.aborted) return;
    try {
      const delivered = shipment.progress(count);
      if (delivered === 0) return;
      this.#recoveries = 0;
      this.#options.onSettled(delivered);
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  #answered(shipment: Shipment, answer: Answer): void {
    if (this.#closed.signal.aborted) return;
    this.#inFlight--;
    const openBefore = shipment.open;
    const refused = shipment.take(answer);
    const delivered = openBefore - shipment.open - refused.length;
    if (refused.length > 0) refuse(shipment, refused);
    if (openBefore > shipment.open) this.#recoveries = 0;
    if (shipment.open === 0) this.#remove(shipment);
    // The plugin's side ends the generation after any failure, also of records that will not be tried again.
    if (shipment.open > 0 || answer.failed.length > 0) this.#endGeneration(answer);
    else this.#sayRunning();
    this.#options.onSettled(delivered);
    if (this.#ended !== null && this.#inFlight === 0) this.#startRecovery();
    this.#pump();
    this.#changed();
  }

  #sayRunning(): void {
    if (!this.#troubled || this.#ended !== null) return;
    this.#troubled = false;
    this.#options.onState({ state: "running" });
  }

  #remove(shipment: Shipment): void {
    const at = this.#queue.indexOf(shipment);
    invariant(at >= 0, "a shipment is finished once");
    this.#queue.splice(at, 1);
    this.#bytes -= shipment.bytes;
  }

  #endGeneration(answer: Answer): void {
    const fault = answer.fault ?? faultOfFailures(answer);
    invariant(fault !== null, "records without an outcome come with a fault or failures");
    // What needs a person outweighs an outage that may only be its echo.
    if (this.#ended === null || (fault.kind !== "unavailable" && this.#ended.kind === "unavailable")) {
      this.#ended = fault;
    }
  }

  #startRecovery(): void {
    this.#recover().catch((error) => this.#options.onFailure(error));
  }

  async #recover(): Promise<void> {
    let fault: Fault | null = this.#ended;
    while (fault !== null) {
      this.#troubled = true;
      this.#options.onState(stateOf(fault));
      await this.#backoff(fault);
      if (this.#closed.signal.aborted) return;
      fault = await this.#options.sink.recover(fault);
      if (this.#closed.signal.aborted) return;
    }
    this.#ended = null;
    this.#generation++;
    if (this.#queue.length === 0) this.#sayRunning();
    this.#pump();
    this.#changed();
  }

  async #backoff(fault: Fault): Promise<void> {
    if (fault.kind === "hosts") return;
    this.#recoveries++;
    const { clock, retry } = this.#options;
    const jittered = backoffMs(retry, this.#recoveries, clock.random());
    const leastMs = fault.kind === "configuration" ? LIMITS.blockedRetryMs : fault.retryAfterMs ?? 0;
    this.#poke = new AbortController();
    if (this.#closed.signal.aborted) return;
    await clock.sleep(Math.max(jittered, leastMs), this.#poke.signal);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Tell that records will not be delivered, as casualties among the messages that they were made of. */
function refuse(shipment: Shipment, refused: readonly Refused[]): void {
  const { records, messages } = shipment.parts;
  const firstRecord = (record: number) => {
    let first = record;
    while (first > 0 && shipment.rowOf(first - 1) === shipment.rowOf(record)) first--;
    return first;
  };
  messages.refuse(refused.map(({ record, ...why }): Casualty => ({
    row: shipment.rowOf(record),
    recordIndex: record - firstRecord(record),
    stage: "deliver",
    ...why,
    topic: records.topics[records.topic[record]!] ?? null,
    recordKey: textAt(records.key, record),
    partition: partitionOf(records, record),
  })));
}

/** Records that failed and are tried again hold their page like an outage of their own. */
function faultOfFailures(answer: Answer): Fault | null {
  const first = answer.failed[0];
  if (first === undefined) return null;
  const retryAfterMs = Math.max(0, ...answer.failed.map((one) => one.retryAfterMs ?? 0));
  return { kind: "unavailable", code: first.code, reason: first.reason, retryAfterMs };
}

/** The partition that a record names, if it does. */
function partitionOf({ partition }: RecordPage, record: number): number | null {
  const number = partition?.[record] ?? -1;
  return number < 0 ? null : number;
}
