/**
 * Asks the cluster about topics and who leads their partitions, again and again while somebody waits for that, and notices when
 * it has gone on for too long.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";
import { classify } from "../fault/classify.ts";
import { type Clock, pauseMs } from "../clock.ts";
import type { ClusterPort } from "./cluster_port.ts";
import type { Options } from "../config/options.ts";
import { asFault, blockedFault, fewerPartitions, leaderless, missingTopic } from "../fault/faults.ts";

/** The first pause between two questions, and the longest, in milliseconds. */
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 1_000;

/** How long a topic is waited for that does not exist: it may be on its way to this broker, or being created by it. */
export const TOPIC_WAIT_MS = 5_000;

/** How long a broker is waited for when none of them answers, or it never has, before an outage is reported. */
export const OUTAGE_MS = 10_000;

/**
 * How long a leader is waited for when the cluster answers, unless it is one that could never be reached. An election takes less, also
 * when the broker has died: the cluster misses it when its session ends, by default after 9 s (18 s with ZooKeeper), and
 * if it was the controller as well, only after there is another one.
 */
export const ELECTION_MS = 30_000;

/** UNKNOWN_TOPIC_OR_PARTITION. */
const UNKNOWN_TOPIC = 3;

/** What waits for the cluster: a partition without a broker to send to, or a page whose topic is not known. */
export interface Stalled {
  readonly topic: string;
  /** -1 for a topic whose partitions are not known. */
  readonly partition: number;
  /** Since when, or undefined when it does not wait. */
  readonly stalledSinceMs: number | undefined;
  /** Why the partition's leader cannot be reached, if it has one. */
  readonly stalledBy: Fault | undefined;
  /** Whether that leader could be reached before: it may be dying then, while another one is elected. */
  readonly reachedBefore: boolean;
}

/** What the search needs. */
export interface SearchPorts {
  readonly options: Options;
  readonly cluster: Pick<ClusterPort, "refresh" | "topic">;
  readonly clock: Clock;
  /** The cluster has answered, or could not be asked. Whoever misses something still says so again. */
  readonly onAnswer: () => void;
  /** Whoever waits. */
  readonly stalled: () => Iterable<Stalled>;
  /**
   * Whether batches that may have been written wait to be sent again. Only this producer can do that without a duplicate, so
   * an outage is reported later then.
   */
  readonly holding: () => boolean;
  /** It has gone on for too long, or will not get better by itself. */
  readonly onFault: (fault: Fault) => void;
}

/** The search for topics and leaders. */
export class LeaderSearch {
  readonly #ports: SearchPorts;
  /** What to ask about next. */
  readonly #topics = new Set<string>();
  /** Whether somebody missed something after the last answer. */
  #missing = false;
  /** Why the cluster could not be asked last time. */
  #fault: Fault | undefined;
  #asking = false;
  #rounds = 0;
  /** Calls the next question off, while it waits for its time. */
  #callOff: (() => void) | undefined;
  #closed = false;

  constructor(ports: SearchPorts) {
    this.#ports = ports;
  }

  /** Ask about a topic. */
  ask(topic: string): void {
    this.#topics.add(topic);
    this.#ask();
  }

  /** Somebody waits for a topic, or for the leader of one of its partitions. */
  missing(topic: string): void {
    this.#missing = true;
    this.ask(topic);
  }

  /** A leader could not be reached: another broker may lead by now, or it may have another address. */
  unreachable(): void {
    this.#check();
    this.#ask();
  }

  /** Ask about everything that is known. */
  renew(): void {
    this.#ask();
  }

  /** Nobody waits any more. */
  clear(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#topics.clear();
    this.#missing = false;
    this.#fault = undefined;
    this.#rounds = 0;
  }

  /** Stop, for good. */
  close(): void {
    this.#closed = true;
    this.clear();
  }

  #ask(): void {
    if (this.#closed || this.#asking || this.#callOff !== undefined) return;
    this.#asking = true;
    const topics = [...this.#topics];
    this.#topics.clear();
    this.#ports.cluster.refresh(topics)
      .then(() => undefined, asFault)
      .then((fault) => this.#answered(fault));
  }

  #answered(fault: Fault | undefined): void {
    if (this.#closed) return;
    this.#fault = fault;
    this.#missing = false;
    // What is missed now is only noted: the next question comes after a pause.
    this.#ports.onAnswer();
    this.#asking = false;
    this.#check();
    if (!this.#missing && this.#fault === undefined) this.#rounds = 0;
    const waits = this.#fault !== undefined && this.#anybodyWaits();
    if (this.#closed || (this.#topics.size === 0 && !waits)) return;
    const { clock } = this.#ports;
    this.#callOff?.();
    this.#callOff = clock.after(pauseMs(PAUSE_MS, PAUSE_MAX_MS, this.#rounds++, clock), () => {
      this.#callOff = undefined;
      this.#ask();
    });
  }

  #anybodyWaits(): boolean {
    for (const { stalledSinceMs } of this.#ports.stalled()) if (stalledSinceMs !== undefined) return true;
    return false;
  }

  /** Report when somebody has waited for too long. */
  #check(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    for (const each of this.#ports.stalled()) {
      const fault = each.stalledSinceMs === undefined
        ? undefined
        : this.#verdict(each, nowMs - each.stalledSinceMs);
      if (fault !== undefined) return this.#ports.onFault(fault);
    }
  }

  #verdict({ topic, partition, stalledBy, reachedBefore }: Stalled, stalledMs: number): Fault | undefined {
    const { cluster, holding, options } = this.#ports;
    const { errorCode: code, leaders } = cluster.topic(topic) ?? { errorCode: 0, leaders: [] };
    if (this.#fault !== undefined && this.#fault.kind !== "unavailable") return this.#fault;
    if (this.#fault === undefined) {
      if (leaders.length > 0 && partition >= leaders.length) return fewerPartitions(topic, leaders.length);
      if (classify(code).decision === "blocked") {
        return blockedFault(code, null, "describe", topic, options);
      }
      // Only a partition is waited for, and the page that waits knows for how long.
      if (partition < 0 && leaders.length > 0) return undefined;
      if (code === UNKNOWN_TOPIC && stalledMs >= TOPIC_WAIT_MS) return missingTopic(topic, options);
    }
    const limitMs = this.#fault === undefined && reachedBefore ? ELECTION_MS : OUTAGE_MS;
    if (stalledMs < Math.min(limitMs, options.deliveryTimeoutMs) || holding()) return undefined;
    return stalledBy ?? this.#fault ?? leaderless(topic, partition);
  }
}
