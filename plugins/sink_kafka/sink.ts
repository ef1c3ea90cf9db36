/**
 * The Kafka sink: takes pages, and answers each when the brokers have acknowledged, or when it cannot go on.
 *
 * A page goes through the entrance (until its topics are known), the accumulator (into batches) and the sender (to the brokers),
 * always after the pages before it. When something cannot go on, the *generation* ends: nothing more is sent, every page
 * gets the same fault as its answer, but only once none of its batches is with a broker any more, so that the next
 * generation cannot be overtaken by this one. What the next one brings again may then be written twice, never out of order.
 *
 * @module
 */

import {
  type Answer,
  type Fault,
  type Opened,
  type OpenSink,
  type PluginConfig,
  type Progress,
  type RecordPage,
  unavailable,
} from "@pg-tide/sdk";
import { Accumulator } from "./produce/accumulator.ts";
import { type Clock, SYSTEM_CLOCK } from "./clock.ts";
import { Cluster } from "./cluster/cluster.ts";
import type { ClusterPort } from "./cluster/cluster_port.ts";
import { onlySecretsDiffer, type Options, parseOptions } from "./config/options.ts";
import { Entrance } from "./produce/entrance.ts";
import { overdue } from "./fault/faults.ts";
import { LeaderSearch, type Stalled } from "./cluster/leader_search.ts";
import { noticeOf } from "./notice.ts";
import { PageDelivery } from "./produce/page_delivery.ts";
import { newProducer } from "./produce/producer_ids.ts";
import { PARTITIONERS } from "./record/partitioner.ts";
import { Sender } from "./produce/sender.ts";
import { withTombstones } from "./record/tombstone.ts";
import type { Producer } from "./cluster/cluster_port.ts";

/** Pages that are needed so that brokers never wait for the next one, whatever the batch size. */
const PAGES_IN_FLIGHT = 4;

/** Records in the kernel's pages, at most. */
const PAGE_RECORDS = 4_000;

/** The most pages in flight: 16 of them fill what the kernel holds for a pipeline. */
const PAGES_IN_FLIGHT_MAX = 16;

/** What an answer may take beyond the time limits that the options set, in milliseconds. */
const ANSWER_SLACK_MS = 60_000;

/**
 * The brokers of the cluster as `host:port`, those in the configuration among them.
 *
 * @throws {FaultError} when none of the configured ones can be asked
 */
export async function findHosts(config: PluginConfig, clock = SYSTEM_CLOCK): Promise<readonly string[]> {
  const cluster = new Cluster(parseOptions(config.fields), clock);
  try {
    await cluster.refresh([]);
    return cluster.hosts;
  } finally {
    await cluster.close();
  }
}

/**
 * Open the sink: connect to the cluster, and with `idempotent` get a producer id.
 *
 * @throws {FaultError} when that cannot be done now
 */
export async function openSink(config: PluginConfig, clock = SYSTEM_CLOCK): Promise<KafkaSink> {
  const options = parseOptions(config.fields);
  const cluster = new Cluster(options, clock);
  try {
    await cluster.refresh([]);
    const producer = options.idempotent ? await newProducer(cluster, clock) : undefined;
    return new KafkaSink({ options, cluster, racks: cluster.racks, producer, clock });
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** What the sink is made of. */
export interface KafkaSinkParts {
  readonly options: Options;
  /** A cluster that was reached. */
  readonly cluster: ClusterPort;
  /** The racks that its brokers are in. */
  readonly racks: ReadonlySet<string>;
  /** The producer whose numbers make repetitions known, or undefined when it is not idempotent. */
  readonly producer: Producer | undefined;
  readonly clock: Clock;
}

/** An open Kafka sink. */
export class KafkaSink implements OpenSink {
  readonly opened: Opened;
  readonly #options: Options;
  readonly #cluster: ClusterPort;
  readonly #clock: Clock;
  readonly #accumulator: Accumulator;
  readonly #search: LeaderSearch;
  readonly #sender: Sender;
  readonly #entrance: Entrance;
  /** Pages without an answer, in order. */
  readonly #open = new Set<PageDelivery>();
  #generation = 0;
  /** Why the generation has ended, if it has. */
  #ended: Fault | undefined;
  #callOffWatch: (() => void) | undefined;
  #callOffRenewal: (() => void) | undefined;

  constructor({ options, cluster, racks, producer, clock }: KafkaSinkParts) {
    this.opened = openedWith(options, racks);
    this.#options = options;
    this.#cluster = cluster;
    this.#clock = clock;
    const onFault = (fault: Fault) => this.#end(fault);
    this.#accumulator = new Accumulator({
      batchSize: options.batchSize,
      batchBytes: options.maxRequestBytes,
      partitioner: PARTITIONERS[options.partitioner],
      timestamp: options.timestamp,
      clock,
    });
    this.#search = new LeaderSearch({
      options,
      cluster,
      clock,
      onAnswer: () => this.#go(),
      stalled: () => this.#stalled(),
      holding: () => this.#holding(),
      onFault,
    });
    const shared = { options, cluster, clock, accumulator: this.#accumulator, search: this.#search };
    this.#sender = new Sender({ ...shared, onFault, onLanded: (pages) => this.#giveUp(pages) }, producer);
    this.#entrance = new Entrance({
      ...shared,
      accept: (delivery, topics) => this.#sender.accept(delivery, topics),
    });
    this.#renewLater();
  }

  /** See {@link OpenSink.deliver}. */
  deliver(page: RecordPage, generation: number, progress?: Progress): Promise<Answer> {
    const records = this.#options.tombstoneOnNull ? withTombstones(page) : page;
    const delivery = new PageDelivery(records, this.#clock.monotonicMs(), progress);
    if (generation > this.#generation) {
      this.#generation = generation;
      this.#ended = undefined;
    }
    if (this.#ended !== undefined) delivery.giveUp(this.#ended);
    else if (delivery.open) this.#take(delivery);
    return delivery.answer;
  }

  /** Take another password or other certificates; nothing in flight is lost. @throws when more than these differ */
  async reconfigure(config: PluginConfig): Promise<void> {
    const options = parseOptions(config.fields);
    if (!onlySecretsDiffer(this.#options, options)) {
      throw new TypeError("Cannot reconfigure: more than secrets and certificates differ");
    }
    await findHosts(config, this.#clock);
    this.#cluster.reconfigure(options);
  }

  /** Give up all connections. */
  async close(): Promise<void> {
    this.#end(unavailable("SINK_CLOSED", "The sink was closed"));
    this.#search.close();
    this.#callOffRenewal?.();
    await this.#cluster.close();
  }

  #take(delivery: PageDelivery): void {
    this.#open.add(delivery);
    delivery.answer.then(() => this.#open.delete(delivery));
    this.#entrance.enter(delivery);
    this.#watch();
  }

  /** The cluster has answered. */
  #go(): void {
    if (this.#ended !== undefined) return;
    this.#sender.reroute();
    this.#entrance.admit();
  }

  #end(fault: Fault): void {
    if (this.#ended !== undefined) return;
    this.#ended = fault;
    this.#callOffWatch?.();
    this.#callOffWatch = undefined;
    this.#entrance.clear();
    this.#search.clear();
    this.#sender.halt();
    this.#giveUp(this.#open);
  }

  /** Answer those of the pages that no broker has any more. */
  #giveUp(pages: Iterable<PageDelivery>): void {
    if (this.#ended === undefined) return;
    for (const page of pages) if (page.open && page.inFlight === 0) page.giveUp(this.#ended);
  }

  *#stalled(): Generator<Stalled> {
    for (const queue of this.#accumulator.queues()) if (queue.waiting.length > 0) yield queue;
    yield* this.#entrance.stalled();
  }

  /** Whether there are numbered batches that may have been written and can still be sent again. */
  #holding(): boolean {
    if (!this.#options.idempotent) return false;
    const sinceMs = this.#clock.monotonicMs() - this.#options.deliveryTimeoutMs;
    return this.#accumulator.queues().some((queue) => queue.mayBeWritten(sinceMs));
  }

  /**
   * Give up when the oldest page gets too old, as when a broker's quota lets through little: the kernel would take the sink for
   * hung. What was delivered of the page counts.
   */
  #watch(): void {
    const [oldest] = this.#open;
    if (this.#callOffWatch !== undefined || oldest === undefined) return;
    const { deliveryTimeoutMs } = this.#options;
    const ageMs = this.#clock.monotonicMs() - oldest.sinceMs;
    if (ageMs >= deliveryTimeoutMs + ANSWER_SLACK_MS / 2) return this.#end(overdue());
    const leftMs = deliveryTimeoutMs + ANSWER_SLACK_MS / 2 - ageMs;
    this.#callOffWatch = this.#clock.after(leftMs, () => {
      this.#callOffWatch = undefined;
      this.#watch();
    });
  }

  #renewLater(): void {
    this.#callOffRenewal = this.#clock.after(this.#options.metadataMaxAgeMs, () => {
      this.#cluster.forgetUnused();
      this.#search.renew();
      this.#renewLater();
    });
  }
}

function openedWith(options: Options, racks: ReadonlySet<string>): Opened {
  const notice = noticeOf(options, racks);
  const pages = PAGES_IN_FLIGHT + Math.floor(options.batchSize / PAGE_RECORDS);
  return {
    pagesInFlight: Math.min(pages, PAGES_IN_FLIGHT_MAX),
    answerWithinMs: options.deliveryTimeoutMs + options.requestTimeoutMs + ANSWER_SLACK_MS,
    ...(notice === undefined ? {} : { notice }),
  };
}
