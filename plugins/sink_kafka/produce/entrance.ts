/**
 * Lets pages in, one after the other, once it is known how many partitions each of their topics has.
 *
 * A page whose topic is not known yet holds up those behind it: they may hold later records of the same keys.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ClusterPort } from "../cluster/cluster_port.ts";
import type { LeaderSearch, Stalled } from "../cluster/leader_search.ts";
import type { PageDelivery } from "./page_delivery.ts";

/** What the entrance needs. */
export interface EntrancePorts {
  readonly cluster: Pick<ClusterPort, "topic">;
  readonly search: Pick<LeaderSearch, "missing">;
  readonly clock: Clock;
  /** Take the page. `counts`: for each of its topics the number of partitions, or 0 for one that no record goes to. */
  readonly accept: (delivery: PageDelivery, counts: readonly number[]) => void;
}

/** The pages that were not let in yet. */
export class Entrance {
  readonly #ports: EntrancePorts;
  #waiting: PageDelivery[] = [];
  /** Since when the first page has been waiting for its topics. */
  #stalledSinceMs: number | undefined;
  #unknown: readonly string[] = [];

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
      const counts = this.#countsOf(head);
      if (counts === undefined) return this.#seek();
      this.#stalledSinceMs = undefined;
      this.#unknown = [];
      this.#waiting.shift();
      this.#ports.accept(head, counts);
    }
  }

  /** The topics that the first page waits for. */
  *stalled(): Generator<Stalled> {
    for (const topic of this.#unknown) {
      yield { topic, partition: -1, stalledSinceMs: this.#stalledSinceMs, stalledBy: undefined };
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

  /** The number of partitions of each topic of a page, or undefined as long as one is not known. */
  #countsOf({ page }: PageDelivery): number[] | undefined {
    const used = new Uint8Array(page.topics.length);
    for (let i = 0; i < page.count; i++) used[page.topic[i]!] = 1;
    const counts = page.topics.map((name, i) =>
      used[i] === 1 ? this.#ports.cluster.topic(name)?.leaders.length ?? 0 : 0
    );
    this.#unknown = page.topics.filter((_, i) => used[i] === 1 && counts[i] === 0);
    return this.#unknown.length === 0 ? counts : undefined;
  }
}
