/**
 * Sends batches to the brokers that lead their partitions and settles them when they answer.
 *
 * Order is kept by three rules. A partition has as many batches in flight as its sequence numbers make safe: up to
 * five when idempotent, otherwise one. When one of them comes back unacknowledged nothing more of the partition is sent until all
 * have come back, and then those are sent again in their order. A broker's connection delivers requests in order, and a
 * partition's batches go to one broker at a time.
 *
 * @module
 */

import { FaultError } from "@pg-tide/sdk";
import type { Batch } from "./batch.ts";
import type { BrokerConnection } from "./broker_connection.ts";
import { classify } from "./classify.ts";
import { type Codec, CODECS } from "./compression.ts";
import { tell } from "./faults.ts";
import { gather, type RequestLimits } from "./gather.ts";
import { Lane } from "./lane.ts";
import { LeaderSearch, type SearchPorts } from "./leader_search.ts";
import type { PageDelivery } from "./page_delivery.ts";
import type { PartitionQueue } from "./partition_queue.ts";
import type { ProduceAnswer } from "./produce_api.ts";
import { NO_STAMP, stampBatch } from "./record_batch.ts";
import { recover } from "./recovery.ts";
import { PartitionSequence, type Producer } from "./sequencer.ts";
import { groupByTopic, resultOf, type Sent } from "./sent.ts";

/** Requests in flight to one broker (Java: `max.in.flight.requests.per.connection`). */
const REQUESTS_IN_FLIGHT = 5;

/** The first pause after a failed connection, and the longest, in milliseconds. */
const RECONNECT_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/** What the sender needs. */
export interface SenderPorts extends SearchPorts {
  /** Batches with records of these pages have come back while nothing is being sent any more. */
  readonly onLanded: (pages: readonly PageDelivery[]) => void;
}

/** Sends what the accumulator holds. */
export class Sender {
  readonly #ports: SenderPorts;
  readonly #limits: RequestLimits;
  readonly #codec: Codec;
  readonly #inFlightMax: number;
  readonly #lanes = new Map<number, Lane>();
  readonly #search: LeaderSearch;
  #producer: Producer | undefined;
  #order = 0;
  /** Whether the generation has ended: what comes back is not sent again. */
  #halted = false;
  #appending = false;

  constructor(ports: SenderPorts, producer: Producer | undefined) {
    const { options } = ports;
    this.#ports = ports;
    this.#producer = producer;
    this.#limits = {
      batchSize: options.batchSize,
      requestBytes: options.maxRequestBytes,
      lingerMs: options.lingerMs,
    };
    this.#codec = CODECS[options.compression];
    // Without answers there is no knowing what the broker has taken, so the socket must have taken one before the next.
    this.#inFlightMax = options.acks === 0 ? 1 : REQUESTS_IN_FLIGHT;
    this.#search = new LeaderSearch(ports, () => this.#rerouteAll());
  }

  /** Append a page's records and send what is full. `counts`: the number of partitions of each of its topics. */
  accept(delivery: PageDelivery, counts: readonly number[]): void {
    this.#halted = false;
    this.#appending = true;
    try {
      this.#ports.accumulator.append(delivery, counts, {
        filled: (queue) => this.#route(queue),
        closed: (queue) => this.#pumpNode(queue.node),
      });
    } finally {
      this.#appending = false;
    }
    for (const lane of this.#lanes.values()) this.#pump(lane);
  }

  /** Send nothing more of what is waiting; what is in flight comes back by itself. */
  halt(): void {
    this.#halted = true;
    this.#search.clear();
    for (const lane of this.#lanes.values()) {
      lane.active.clear();
      lane.sleep();
    }
    for (const queue of this.#ports.accumulator.queues()) queue.clear();
  }

  /** Stop all timers, for good. */
  close(): void {
    this.halt();
    this.#search.close();
  }

  #pumpNode(node: number): void {
    const lane = this.#lanes.get(node);
    if (lane !== undefined) this.#pump(lane);
  }

  /** Send as much as may be sent to a broker now. */
  #pump(lane: Lane): void {
    if (lane.active.size === 0 || lane.inFlight >= this.#inFlightMax) return;
    const { cluster, monotonicMs } = this.#ports;
    const connection = cluster.connected(lane.node);
    if (connection === undefined) return this.#open(lane);
    while (lane.inFlight < this.#inFlightMax) {
      const nowMs = monotonicMs();
      if (nowMs < lane.pausedUntilMs) return this.#wake(lane, lane.pausedUntilMs, nowMs);
      const { queues, wakeAtMs } = gather(lane.active, nowMs, this.#limits, this.#appending);
      if (queues.length === 0) return this.#wake(lane, wakeAtMs, nowMs);
      this.#send(lane, connection, queues);
    }
  }

  #wake(lane: Lane, atMs: number, nowMs: number): void {
    lane.wake(atMs, nowMs, () => this.#pump(lane));
  }

  #send(lane: Lane, connection: BrokerConnection, queues: readonly PartitionQueue[]): void {
    const { options } = this.#ports;
    const sent = queues.map((queue): Sent => ({ queue, batch: this.#launch(queue) }));
    for (const queue of queues) {
      // To the end of the line, or out of it.
      lane.active.delete(queue);
      if (queue.waiting.length > 0) lane.active.add(queue);
    }
    lane.inFlight++;
    let returned = false;
    connection.produce(options.acks, options.requestTimeoutMs, groupByTopic(sent), (error, answer) => {
      const settle = () => this.#settle(lane, sent, error, answer);
      // A connection that is lost already answers at once, in the middle of what calls this.
      if (returned) settle();
      else queueMicrotask(settle);
    });
    returned = true;
  }

  /** Take the first batch of a queue, with its final bytes, into flight. */
  #launch(queue: PartitionQueue): Batch {
    const batch = queue.waiting.shift()!;
    const fresh = batch.bytes === undefined;
    this.#ports.accumulator.recycle(batch.seal(this.#codec));
    if (queue.sequence === undefined) {
      if (fresh) stampBatch(batch.bytes!, NO_STAMP);
    } else if (batch.sequence < 0) {
      const stamp = queue.sequence.assign(batch.count);
      batch.sequence = stamp.baseSequence;
      stampBatch(batch.bytes!, stamp);
    }
    batch.attempts++;
    batch.order = ++this.#order;
    queue.stalledSinceMs = undefined;
    queue.inFlight.push(batch);
    for (const page of batch.pages) page.inFlight++;
    return batch;
  }

  #settle(
    lane: Lane,
    sent: readonly Sent[],
    error: Error | null,
    answer: ProduceAnswer | undefined,
  ): void {
    const nowMs = this.#ports.monotonicMs();
    lane.inFlight--;
    if (answer !== undefined && answer.throttleMs > 0) lane.pausedUntilMs = nowMs + answer.throttleMs;
    for (const each of sent) this.#settleOne(each, error, answer, nowMs);
    if (this.#halted) this.#ports.onLanded(sent.flatMap(({ batch }) => batch.pages));
    this.#pump(lane);
  }

  #settleOne(
    { queue, batch }: Sent,
    error: Error | null,
    answer: ProduceAnswer | undefined,
    nowMs: number,
  ): void {
    queue.inFlight.splice(queue.inFlight.indexOf(batch), 1);
    for (const page of batch.pages) page.inFlight--;
    const result = error === null ? resultOf(queue, answer, this.#ports.options.acks) : undefined;
    if (result !== undefined && classify(result.errorCode).decision === "delivered") {
      batch.deliver();
      queue.sequence?.acknowledged(nowMs);
      this.#ports.accumulator.recycle(batch.memoryOf(this.#codec));
    } else if (this.#halted) {
      queue.sequence?.abandon();
    } else {
      queue.returned.push({
        batch,
        setback: result === undefined
          ? {
            kind: "lost",
            reason: tell(error ?? new Error("The broker's answer leaves the partition out")).text,
          }
          : { kind: "refused", result },
      });
    }
    if (queue.returned.length > 0 && queue.inFlight.length === 0) this.#recover(queue, nowMs);
    else if (queue.waiting.length > 0) this.#lanes.get(queue.node)?.active.add(queue);
  }

  #recover(queue: PartitionQueue, nowMs: number): void {
    const { accumulator, onFault, options, random } = this.#ports;
    const { fault, newProducer, pauseMs, refresh } = recover(queue, { options, accumulator, nowMs, random });
    if (fault !== undefined) return onFault(fault);
    queue.retryAtMs = nowMs + pauseMs;
    if (newProducer) this.#renewProducer(queue);
    if (queue.waiting.length > 0) this.#route(queue);
    if (refresh) this.#search.ask(queue.topic);
  }

  /** Put a queue that has something to send in the lane of its leader, or look for one. */
  #route(queue: PartitionQueue): void {
    const node = this.#ports.cluster.leaderOf(queue.topic, queue.partition);
    if (queue.node !== node) this.#lanes.get(queue.node)?.active.delete(queue);
    queue.node = node;
    if (this.#producer !== undefined) {
      queue.sequence ??= new PartitionSequence(this.#producer);
      if (queue.sequence.exhausted && queue.retryAtMs !== Infinity) this.#renewProducer(queue);
    }
    if (node < 0) {
      queue.stalledSinceMs ??= this.#ports.monotonicMs();
      this.#search.missing(queue);
    } else {
      this.#lane(node).active.add(queue);
    }
  }

  #rerouteAll(): void {
    for (const queue of this.#ports.accumulator.queues()) {
      if (queue.waiting.length > 0) this.#route(queue);
    }
    for (const lane of this.#lanes.values()) this.#pump(lane);
  }

  #lane(node: number): Lane {
    let lane = this.#lanes.get(node);
    if (lane === undefined) {
      lane = new Lane(node);
      this.#lanes.set(node, lane);
    }
    return lane;
  }

  /** Connect to a lane's broker, then pump. */
  #open(lane: Lane): void {
    const { cluster, monotonicMs } = this.#ports;
    const nowMs = monotonicMs();
    if (lane.opening) return;
    if (nowMs < lane.pausedUntilMs) return this.#wake(lane, lane.pausedUntilMs, nowMs);
    lane.opening = true;
    cluster.connect(lane.node).then(
      () => {
        lane.opening = false;
        lane.failures = 0;
        this.#pump(lane);
      },
      (error: unknown) => {
        lane.opening = false;
        this.#unreachable(lane, error);
      },
    );
  }

  #unreachable(lane: Lane, error: unknown): void {
    const { monotonicMs, onFault, random } = this.#ports;
    const nowMs = monotonicMs();
    if (!(error instanceof FaultError)) throw error;
    if (this.#halted) return;
    if (error.fault.kind !== "unavailable") return onFault(error.fault);
    const pauseMs = Math.min(RECONNECT_MAX_MS, RECONNECT_MS * 2 ** lane.failures) * (0.8 + 0.4 * random());
    lane.failures++;
    lane.pausedUntilMs = nowMs + pauseMs;
    for (const queue of lane.active) queue.stalledSinceMs ??= nowMs;
    // The leader may have moved, or the broker may have another address now.
    this.#search.failed(error.fault);
    this.#wake(lane, lane.pausedUntilMs, nowMs);
  }

  /** Get another producer id for a partition; nothing of it is sent meanwhile. */
  #renewProducer(queue: PartitionQueue): void {
    queue.retryAtMs = Infinity;
    this.#ports.cluster.initProducerId().then(
      (producer) => {
        this.#producer = producer;
        queue.sequence?.adopt(producer);
        queue.retryAtMs = 0;
        this.#pumpNode(queue.node);
      },
      (error: unknown) => {
        if (!(error instanceof FaultError)) throw error;
        if (!this.#halted) this.#ports.onFault(error.fault);
      },
    );
  }
}
