/**
 * Puts each partition that has something to send into the lane of the broker that leads it, and keeps the brokers connected.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";
import type { Accumulator } from "./accumulator.ts";
import { type Clock, pauseMs } from "../clock.ts";
import type { ClusterPort } from "../cluster/cluster_port.ts";
import { asFault } from "../fault/faults.ts";
import { Lane } from "./lane.ts";
import type { LeaderSearch } from "../cluster/leader_search.ts";
import type { PartitionQueue } from "./partition_queue.ts";

/** The first pause after a failed connection, and the longest, in milliseconds. */
const RECONNECT_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/** What the lanes need. */
export interface LanePorts {
  readonly cluster: Pick<ClusterPort, "connect" | "leaderOf">;
  readonly accumulator: Pick<Accumulator, "queues">;
  readonly search: Pick<LeaderSearch, "ask" | "missing" | "unreachable">;
  readonly clock: Clock;
  readonly onFault: (fault: Fault) => void;
}

/** The lanes of all brokers. */
export class Lanes {
  readonly #ports: LanePorts;
  readonly #pump: (lane: Lane) => void;
  readonly #lanes = new Map<number, Lane>();

  /** @param pump sends as much as may be sent to a broker now */
  constructor(ports: LanePorts, pump: (lane: Lane) => void) {
    this.#ports = ports;
    this.#pump = pump;
  }

  /** Put a queue that has something to send in the lane of its leader, or have one looked for. */
  route(queue: PartitionQueue): void {
    const { clock, cluster, search } = this.#ports;
    const node = cluster.leaderOf(queue.topic, queue.partition);
    // What one broker was sent must have come back before another one is sent anything.
    if (queue.inFlight.length === 0 && queue.node !== node) {
      this.#lanes.get(queue.node)?.active.delete(queue);
      queue.sequence?.doubt();
      queue.node = node;
    }
    if (queue.node >= 0) {
      if (queue.stalledBy === undefined) queue.unstall();
      this.#lane(queue.node).active.add(queue);
    } else {
      queue.stalledSinceMs ??= clock.monotonicMs();
      search.missing(queue.topic);
    }
  }

  /** Route every queue that has something to send, and send. */
  routeAll(): void {
    for (const queue of this.#ports.accumulator.queues()) {
      if (queue.waiting.length > 0) this.route(queue);
    }
    this.pumpAll();
  }

  /** Send as much as may be sent to all brokers. */
  pumpAll(): void {
    for (const lane of this.#lanes.values()) this.#pump(lane);
  }

  /** Send as much as may be sent to a queue's broker. */
  pumpOf(queue: PartitionQueue): void {
    const lane = this.#lanes.get(queue.node);
    if (lane !== undefined) this.#pump(lane);
  }

  /** Nothing is to be sent any more. */
  clear(): void {
    for (const lane of this.#lanes.values()) {
      lane.active.clear();
      lane.sleep();
    }
  }

  /** Connect to a lane's broker, then pump. */
  connect(lane: Lane): void {
    if (lane.opening) return;
    if (this.pause(lane)) return;
    lane.opening = true;
    // A broker also hangs up on those who take it for a leader that it is no more, and with acks 0 says nothing else.
    if (lane.opened) this.#askAbout(lane);
    this.#ports.cluster.connect(lane.node).then(
      () => {
        lane.opening = false;
        lane.opened = true;
        lane.failures = 0;
        for (const queue of lane.active) queue.unstall();
        this.#pump(lane);
      },
      (error: unknown) => {
        lane.opening = false;
        this.#unreachable(lane, asFault(error));
      },
    );
  }

  /** Whether a lane pauses now; then it is pumped when the pause ends. */
  pause(lane: Lane): boolean {
    const nowMs = this.#ports.clock.monotonicMs();
    if (nowMs >= lane.pausedUntilMs) return false;
    this.wake(lane, lane.pausedUntilMs, nowMs);
    return true;
  }

  /** Pump a lane at `atMs`. */
  wake(lane: Lane, atMs: number, nowMs: number): void {
    lane.wake(atMs, nowMs, () => this.#pump(lane));
  }

  #askAbout(lane: Lane): void {
    for (const queue of lane.active) this.#ports.search.ask(queue.topic);
  }

  #unreachable(lane: Lane, fault: Fault): void {
    const { clock, onFault, search } = this.#ports;
    // Nothing is to be sent any more, or by another lane.
    if (lane.active.size === 0) return;
    if (fault.kind !== "unavailable") return onFault(fault);
    const nowMs = clock.monotonicMs();
    lane.pausedUntilMs = nowMs + pauseMs(RECONNECT_MS, RECONNECT_MAX_MS, lane.failures++, clock);
    for (const queue of lane.active) {
      queue.stalledSinceMs ??= nowMs;
      queue.stalledBy = fault;
      queue.reachedBefore = lane.opened;
    }
    search.unreachable();
    // Unless the search has just ended the generation.
    if (lane.active.size > 0) this.pause(lane);
  }

  #lane(node: number): Lane {
    let lane = this.#lanes.get(node);
    if (lane === undefined) {
      lane = new Lane(node, this.#ports.clock);
      this.#lanes.set(node, lane);
    }
    return lane;
  }
}
