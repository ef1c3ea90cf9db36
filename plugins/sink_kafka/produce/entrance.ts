/**
 * Lets pages in, one after the other, once it is known which partitions each of their topics has.
 *
 * A page whose topic is not known yet holds up those behind it: they may hold later records of the same keys. So does a page with
 * a record for a partition that its topic may have got since.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ClusterPort, Topic } from "../cluster/cluster_port.ts";
import type { LeaderSearch, Stalled } from "../cluster/leader_search.ts";
import type { PageDelivery } from "./page_delivery.ts";
import { PartitionWait } from "./partition_wait.ts";

/** What the entrance needs. */
export interface EntrancePorts {
  readonly cluster: Pick<ClusterPort, "asOfMs" | "topic">;
  readonly search: Pick<LeaderSearch, "missing">;
  readonly clock: Clock;
  /** Take the page. `topics`: what is known about each of its topics, or undefined for one that no record goes to. */
  readonly accept: (delivery: PageDelivery, topics: readonly (Topic | undefined)[]) => void;
}

/** The pages that were not let in yet. */
export class Entrance {
  readonly #ports: EntrancePorts;
  #waiting: PageDelivery[] = [];
  /** Since when the first page has been waiting for its topics. */
  #stalledSinceMs: number | undefined;
  #unknown: readonly string[] = [];
  readonly #partitions = new PartitionWait();

  constructor(ports: EntrancePorts) {
    this.#ports = ports;
  }

  /** Let a page in after those that came before it. */
  enter(delivery: PageDelivery): void {
    this.#waiting.push(delivery);
    if (this.#waiting.length === 1) this.admit();
  }

  /** Let in whom the cluster's newest answer allows. */
  admit(): void {
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      const topics = this.#topicsOf(head);
      if (topics === undefined) return this.#seek();
      this.#stalledSinceMs = undefined;
      this.#unknown = [];
      this.#waiting.shift();
      this.#ports.accept(head, topics);
    }
  }

  /** The topics that the first page waits for. */
  *stalled(): Generator<Stalled> {
    for (const topic of this.#unknown) {
      yield {
        topic,
        partition: -1,
        stalledSinceMs: this.#stalledSinceMs,
        stalledBy: undefined,
        reachedBefore: true,
      };
    }
  }

  /** Turn everybody away. */
  clear(): void {
    this.#waiting = [];
    this.#unknown = [];
    this.#stalledSinceMs = undefined;
  }

  #seek(): void {
    this.#stalledSinceMs ??= this.#ports.clock.monotonicMs();
    for (const topic of this.#unknown) this.#ports.search.missing(topic);
  }

  /** The topics of a page, or undefined as long as the partitions of one are not known. */
  #topicsOf({ page }: PageDelivery): (Topic | undefined)[] | undefined {
    const { cluster } = this.#ports;
    const used = new Uint8Array(page.topics.length);
    for (let i = 0; i < page.count; i++) used[page.topic[i]!] = 1;
    const topics = page.topics.map((name, i) => used[i] === 1 ? cluster.topic(name) : undefined);
    this.#unknown = page.topics.filter((_, i) => used[i] === 1 && (topics[i]?.leaders.length ?? 0) === 0);
    if (this.#unknown.length === 0) {
      const nowMs = this.#ports.clock.monotonicMs();
      const sinceMs = this.#stalledSinceMs ?? nowMs;
      this.#unknown = this.#partitions.topics(page, topics, { nowMs, sinceMs, asOfMs: cluster.asOfMs });
    }
    return this.#unknown.length === 0 ? topics : undefined;
  }
}
