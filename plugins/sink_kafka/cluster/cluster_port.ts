/**
 * The cluster as the sink uses it.
 *
 * @module
 */

import type { Producing } from "./produce_api.ts";
import type { Options } from "../config/options.ts";

/** A producer, as the cluster named it. */
export interface Producer {
  readonly id: bigint;
  readonly epoch: number;
}

/** What is known about a topic. */
export interface Topic {
  /** The error that the cluster answered with, 0 for none. */
  readonly errorCode: number;
  /** Of this topic alone: when it is deleted and created again, it has another one. Absent where the cluster names none. */
  readonly id?: string;
  /** For each partition, the node that leads it, or -1. */
  readonly leaders: readonly number[];
  /** The partitions for records whose key does not choose one, at least one; absent when all are alike. */
  readonly preferred?: readonly number[];
}

/** A cluster that is being talked to. Nothing here waits or tries again: callers do, and know for how long. */
export interface ClusterPort {
  /**
   * When the newest question was asked that was answered, by the sink's clock: nothing that is known is older. -Infinity before the
   * first answer.
   */
  readonly asOfMs: number;
  /** What is known about a topic, if it was asked for. */
  topic(name: string): Topic | undefined;
  /** The node that leads a partition, or -1. */
  leaderOf(topic: string, partition: number): number;
  /**
   * Ask the cluster about its brokers and these topics, and those already known.
   *
   * @throws {FaultError} when no broker answers
   */
  refresh(topics: Iterable<string>): Promise<void>;
  /** Do not ask any more about topics that nobody has looked up since the last call. */
  forgetUnused(): void;
  /**
   * An open connection to a node.
   *
   * @throws {FaultError} when there is none to be had now
   */
  connect(node: number): Promise<Producing>;
  /** The open connection to a node, if there is one. */
  connected(node: number): Producing | undefined;
  /** A new producer id. @throws {FaultError} when none is to be had */
  initProducerId(): Promise<Producer>;
  /** Make connections with these options from now on. The present ones get the answers that they wait for, and end. */
  reconfigure(options: Options): void;
  /** Give up all connections. */
  close(): Promise<void>;
}
