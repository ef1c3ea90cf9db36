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

import type { Fault } from "@pg-tide/sdk";
import type { Accumulator } from "./accumulator.ts";
import type { Batch } from "./batch.ts";
import { classify } from "../fault/classify.ts";
import type { Clock } from "../clock.ts";
import type { ClusterPort, Producer, Topic } from "../cluster/cluster_port.ts";
import { type Codec, codecOf } from "../record/compression.ts";
import type { Options } from "../config/options.ts";
import { lostRequest } from "../fault/faults.ts";
import { gather, type RequestLimits } from "./gather.ts";
import type { Lane } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import type { LeaderSearch } from "../cluster/leader_search.ts";
import type { PageDelivery } from "./page_delivery.ts";
import type { PartitionQueue } from "./partition_queue.ts";
import type { ProduceAnswer, Producing } from "../cluster/produce_api.ts";
import { ProducerIds } from "./producer_ids.ts";
import { NO_STAMP, stampBatch } from "../record/record_batch.ts";
import { recover } from "./recovery.ts";
import { groupByTopic, resultOf, type Sent } from "./sent.ts";

/** What the sender needs. */
export interface SenderPorts {
  readonly options: Options;
  readonly cluster: ClusterPort;
  readonly accumulator: Accumulator;
  readonly search: LeaderSearch;
  readonly clock: Clock;
  /** The generation cannot go on. */
  readonly onFault: (fault: Fault) => void;
  /** Batches with records of these pages have come back while nothing is being sent any more. */
  readonly onLanded: (pages: readonly PageDelivery[]) => void;
}

/** Sends what the accumulator holds. */
export class Sender {
  readonly #ports: SenderPorts;
  readonly #limits: RequestLimits;
  readonly #codec: Codec;
  readonly #inFlightMax: number;
  readonly #lanes: Lanes;
  readonly #producers: ProducerIds;
  #order = 0;
  /** Whether the generation has ended: what comes back is not sent again. */
  #halted = false;
  #appending = false;

  constructor(ports: SenderPorts, producer: Producer | undefined) {
    const { options } = ports;
    this.#ports = ports;
    this.#limits = {
      batchSize: options.batchSize,
      requestBytes: options.maxRequestBytes,
      lingerMs: options.lingerMs,
    };
    this.#codec = codecOf(options.compression, options.compressionLevel);
    // Without answers there is no knowing what the broker has taken, so the socket must have taken one before the next.
    this.#inFlightMax = options.acks === 0 ? 1 : options.maxInFlight;
    this.#lanes = new Lanes(ports, (lane) => this.#pump(lane));
    this.#producers = new ProducerIds(
      { ...ports, onRenewed: (queue) => this.#lanes.pumpOf(queue) },
      producer,
    );
  }

  /** Append a page's records and send what is full. `topics`: what is known about each of its topics. */
  accept(delivery: PageDelivery, topics: readonly (Topic | undefined)[]): void {
    this.#halted = false;
    this.#appending = true;
    try {
      this.#ports.accumulator.append(delivery, topics, {
        filled: (queue) => this.#route(queue),
        closed: (queue) => this.#lanes.pumpOf(queue),
      });
    } finally {
      this.#appending = false;
    }
    this.#lanes.pumpAll();
  }

  /** The cluster has answered: partitions may have other leaders. */
  reroute(): void {
    this.#lanes.routeAll();
  }

  /** Send nothing more of what is waiting; what is in flight comes back by itself. */
  halt(): void {
    this.#halted = true;
    this.#lanes.clear();
    for (const queue of this.#ports.accumulator.queues()) queue.clear();
  }

  /** Put a queue that has something to send in the lane of its leader. */
  #route(queue: PartitionQueue): void {
    this.#producers.provide(queue);
    this.#lanes.route(queue);
  }

  /** Send as much as may be sent to a broker now. */
  #pump(lane: Lane): void {
    if (lane.active.size === 0 || lane.inFlight >= this.#inFlightMax) return;
    const { clock, cluster } = this.#ports;
    const connection = cluster.connected(lane.node);
    if (connection === undefined) return this.#lanes.connect(lane);
    while (lane.inFlight < this.#inFlightMax) {
      if (this.#lanes.pause(lane)) return;
      const nowMs = clock.monotonicMs();
      const { queues, wakeAtMs } = gather(lane.active, nowMs, this.#limits, this.#appending);
      if (queues.length === 0) return this.#lanes.wake(lane, wakeAtMs, nowMs);
      this.#send(lane, connection, queues);
    }
  }

  #send(lane: Lane, connection: Producing, queues: readonly PartitionQueue[]): void {
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
    const batch = queue.launch();
    const fresh = batch.bytes === undefined;
    this.#ports.accumulator.recycle(batch.seal(this.#codec));
    const { sequence } = queue;
    if (sequence === undefined) {
      if (fresh) stampBatch(batch.bytes!, NO_STAMP);
    } else if (fresh || batch.sequence < 0) {
      if (batch.sequence < 0) batch.sequence = sequence.assign(batch.count);
      batch.producer = sequence.producer;
      stampBatch(batch.bytes!, sequence.stampAt(batch.sequence));
    }
    batch.order = ++this.#order;
    for (const page of batch.pages) page.inFlight++;
    return batch;
  }

  #settle(
    lane: Lane,
    sent: readonly Sent[],
    error: Error | null,
    answer: ProduceAnswer | undefined,
  ): void {
    const nowMs = this.#ports.clock.monotonicMs();
    lane.inFlight--;
    if (answer !== undefined && answer.throttleMs > 0) lane.pausedUntilMs = nowMs + answer.throttleMs;
    for (const each of sent) this.#settleOne(each, error, answer, nowMs);
    if (this.#halted) this.#ports.onLanded(sent.flatMap(({ batch }) => batch.pages));
    this.#pump(lane);
    for (const { queue } of sent) if (queue.node !== lane.node) this.#lanes.pumpOf(queue);
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
      queue.sequence?.acknowledged(batch.producer, nowMs);
      this.#ports.accumulator.recycle(batch.memoryOf(this.#codec));
    } else if (this.#halted) {
      queue.sequence?.abandon();
    } else {
      queue.returned.push({
        batch,
        setback: result === undefined
          ? {
            kind: "lost",
            reason: lostRequest(error ?? new Error("The broker's answer leaves the partition out")),
          }
          : { kind: "refused", result },
      });
    }
    if (queue.returned.length > 0 && queue.inFlight.length === 0) this.#recover(queue, nowMs);
    else if (queue.waiting.length > 0) this.#route(queue);
  }

  #recover(queue: PartitionQueue, nowMs: number): void {
    const { accumulator, clock, onFault, options, search } = this.#ports;
    const { fault, newProducer, pauseMs, refresh } = recover(queue, { options, accumulator, clock, nowMs });
    if (fault !== undefined) return onFault(fault);
    queue.retryAtMs = nowMs + pauseMs;
    if (newProducer) this.#producers.renew(queue);
    if (queue.waiting.length > 0) this.#route(queue);
    if (refresh) search.ask(queue.topic);
  }
}
