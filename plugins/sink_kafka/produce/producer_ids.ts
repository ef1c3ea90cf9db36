/**
 * Gives partitions the sequence numbers of an idempotent producer, and another producer when theirs is no longer good.
 *
 * @module
 */

import type { Fault } from "@pg-tide/sdk";
import { type Clock, pauseMs } from "../clock.ts";
import type { ClusterPort } from "../cluster/cluster_port.ts";
import { asFault } from "../fault/faults.ts";
import type { PartitionQueue } from "./partition_queue.ts";
import type { Producer } from "../cluster/cluster_port.ts";
import { PartitionSequence } from "./sequencer.ts";

/** Answers of a cluster that is about to give out producer ids: it was just started, or its controller moves. */
const PASSING: ReadonlySet<string> = new Set([
  "BROKER_NOT_AVAILABLE",
  "CONCURRENT_TRANSACTIONS",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_CONTROLLER",
  "NOT_COORDINATOR",
  "REQUEST_TIMED_OUT",
]);

/** How long that is waited for, and the first and the longest pause between two questions, in milliseconds. */
const PASSING_MS = 10_000;
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 1_000;

/** A new producer id. @throws {FaultError} when none is to be had */
export async function newProducer(
  cluster: Pick<ClusterPort, "initProducerId">,
  clock: Clock,
): Promise<Producer> {
  const endMs = clock.monotonicMs() + PASSING_MS;
  for (let round = 0;; round++) {
    try {
      return await cluster.initProducerId();
    } catch (error) {
      const fault = asFault(error);
      const passes = fault.kind === "unavailable" && PASSING.has(fault.code) && clock.monotonicMs() < endMs;
      if (!passes) throw error;
      await new Promise<void>((resolve) =>
        clock.after(pauseMs(PAUSE_MS, PAUSE_MAX_MS, round, clock), resolve)
      );
    }
  }
}

/** What the producer ids need. */
export interface ProducerPorts {
  readonly cluster: Pick<ClusterPort, "initProducerId">;
  readonly clock: Clock;
  /** The queue has another producer: it can be sent from again. */
  readonly onRenewed: (queue: PartitionQueue) => void;
  readonly onFault: (fault: Fault) => void;
}

/** The producers of all partitions. */
export class ProducerIds {
  readonly #ports: ProducerPorts;
  #producer: Producer | undefined;

  /** @param producer the first producer, or undefined when records are not numbered */
  constructor(ports: ProducerPorts, producer: Producer | undefined) {
    this.#ports = ports;
    this.#producer = producer;
  }

  /** See that a queue has numbers to give to its batches. */
  provide(queue: PartitionQueue): void {
    if (this.#producer === undefined) return;
    queue.sequence ??= new PartitionSequence(this.#producer);
    if (queue.sequence.exhausted) this.renew(queue);
  }

  /**
   * Get another producer for a queue that has nothing in flight; nothing of it is sent meanwhile, also if the generation ends in
   * between.
   */
  renew(queue: PartitionQueue): void {
    if (queue.renewing) return;
    queue.renewing = true;
    newProducer(this.#ports.cluster, this.#ports.clock).then(
      (producer) => {
        this.#producer = producer;
        queue.renewing = false;
        queue.sequence?.adopt(producer);
        this.#ports.onRenewed(queue);
      },
      (error: unknown) => {
        queue.renewing = false;
        this.#ports.onFault(asFault(error));
      },
    );
  }
}
