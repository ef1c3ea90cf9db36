/**
 * The cluster: its brokers, one connection to each, and who leads which partition.
 *
 * Nothing here waits or tries again: callers do, and know for how long.
 *
 * @module
 */

import { type Fault, FaultError, unavailable } from "@pg-tide/sdk";
import { BrokerConnection, type Metadata, type TopicMetadata } from "./broker_connection.ts";
import { classify } from "./classify.ts";
import { type Address, formatAddress, type Options } from "./config.ts";
import { blockedFault, connectionFault } from "./faults.ts";
import type { Producer } from "./sequencer.ts";

/** What is known about a topic. */
export interface Topic {
  /** The error that the cluster answered with, 0 for none. */
  readonly errorCode: number;
  /** For each partition, the node that leads it, or -1. */
  readonly leaders: readonly number[];
}

/** A cluster that is being talked to. */
export class Cluster {
  #options: Options;
  readonly #nodes = new Map<number, Address>();
  readonly #connections = new Map<string, BrokerConnection>();
  readonly #topics = new Map<string, Topic>();
  #refreshing: Promise<void> | undefined;
  /** Topics that were asked for while a refresh was on its way. */
  readonly #wanted = new Set<string>();
  #closed = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Every broker that the cluster has named, and the configured ones. */
  get hosts(): string[] {
    return [...new Set([...this.#options.brokers, ...this.#nodes.values()].map(formatAddress))];
  }

  /** The names of the topics that are known. */
  get topicNames(): string[] {
    return [...this.#topics.keys()];
  }

  /** What is known about a topic, if it was asked for. */
  topic(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  /** The node that leads a partition, or -1. */
  leaderOf(topic: string, partition: number): number {
    const node = this.#topics.get(topic)?.leaders[partition] ?? -1;
    return this.#nodes.has(node) ? node : -1;
  }

  /** Use these options for connections from now on, and give up the present ones. */
  async reconfigure(options: Options): Promise<void> {
    this.#options = options;
    await this.#closeAll();
  }

  /** Give up all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#closeAll();
  }

  /**
   * An open connection to a node.
   *
   * @throws {FaultError} when there is none to be had now
   */
  async connect(node: number): Promise<BrokerConnection> {
    const address = this.#nodes.get(node);
    if (address === undefined) throw new FaultError(gone(node));
    return await this.#open(address);
  }

  /** The open connection to a node, if there is one. */
  connected(node: number): BrokerConnection | undefined {
    const address = this.#nodes.get(node);
    const connection = address && this.#connections.get(formatAddress(address));
    return connection?.ready ? connection : undefined;
  }

  /**
   * Ask the cluster about its brokers and these topics, and those already known. Calls that come while one is
   * under way are answered by one further question.
   *
   * @throws {FaultError} when no broker answers
   */
  async refresh(topics: Iterable<string>): Promise<void> {
    for (const topic of topics) this.#wanted.add(topic);
    const before = this.#refreshing;
    if (before !== undefined) await before.catch(() => {});
    this.#refreshing ??= this.#refresh().finally(() => this.#refreshing = undefined);
    await this.#refreshing;
  }

  /** A new producer id. @throws {FaultError} when none is to be had */
  async initProducerId(): Promise<Producer> {
    return await this.#withAny(async (connection) => {
      try {
        return await connection.initProducerId();
      } catch (error) {
        throw this.#refused(error) ?? error;
      }
    });
  }

  async #refresh(): Promise<void> {
    const topics = [...new Set([...this.#topics.keys(), ...this.#wanted])];
    this.#wanted.clear();
    const metadata = await this.#withAny((connection) => connection.metadata(topics));
    this.#learn(metadata);
  }

  #learn(metadata: Metadata): void {
    this.#nodes.clear();
    for (const { nodeId, host, port } of metadata.brokers) this.#nodes.set(nodeId, { host, port });
    for (const topic of metadata.topics) {
      if (typeof topic.name === "string") this.#topics.set(topic.name, learnTopic(topic));
    }
  }

  /** Do something on any broker: on one that is connected if possible, else on each in turn until one can be reached. */
  async #withAny<T>(ask: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    let fault: Fault | undefined;
    for (const address of this.#candidates()) {
      try {
        return await ask(await this.#open(address));
      } catch (error) {
        const found = error instanceof FaultError
          ? error.fault
          : this.#faultOf(error, address);
        // A wrong password or certificate says more than the dead entries of a list, which are usual.
        if (fault === undefined || (fault.kind !== "configuration" && found.kind === "configuration")) {
          fault = found;
        }
        if (found.kind === "configuration" && !isConnectionTrouble(found.code)) break;
      }
    }
    throw new FaultError(fault ?? gone(-1));
  }

  /** Connected brokers first, then the configured ones, then those that the cluster has named. */
  #candidates(): Address[] {
    const all = new Map<string, Address>();
    for (const connection of this.#connections.values()) {
      if (connection.ready) all.set(formatAddress(connection.address), connection.address);
    }
    for (const address of [...this.#options.brokers, ...this.#nodes.values()]) {
      all.set(formatAddress(address), address);
    }
    return [...all.values()];
  }

  async #open(address: Address): Promise<BrokerConnection> {
    const key = formatAddress(address);
    const known = this.#connections.get(key);
    if (known !== undefined && !known.lost) {
      await known.open();
      return known;
    }
    if (this.#closed) throw new FaultError(gone(-1));
    const connection = new BrokerConnection(address, this.#options);
    this.#connections.set(key, connection);
    try {
      await connection.open();
      return connection;
    } catch (error) {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
      throw new FaultError(this.#faultOf(error, address), { cause: error });
    }
  }

  #faultOf(error: unknown, address: Address): Fault {
    const fault = connectionFault(error, address, this.#isAdvertised(address), this.#options);
    // All of them at once: each further grant costs a restart of the Worker.
    return fault.kind === "hosts" ? { kind: "hosts", hosts: this.hosts } : fault;
  }

  #isAdvertised(address: Address): boolean {
    const key = formatAddress(address);
    return !this.#options.brokers.some((configured) => formatAddress(configured) === key);
  }

  /** The fault of a request that the broker refused, if it did and a person must act. */
  #refused(error: unknown): FaultError | undefined {
    const code = errorCodeOf(error);
    if (code === undefined || classify(code).decision !== "blocked") return undefined;
    return new FaultError(blockedFault(code, null, "get a producer id", undefined, this.#options), {
      cause: error,
    });
  }

  async #closeAll(): Promise<void> {
    const connections = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

function learnTopic({ errorCode, partitions }: TopicMetadata): Topic {
  const leaders: number[] = new Array(partitions.length).fill(-1);
  for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
  return { errorCode, leaders };
}

/** Trouble of a connection may be one broker's alone; a refused request would be refused by all. */
function isConnectionTrouble(code: string): boolean {
  return code.startsWith("TLS_") || code === "SASL_AUTHENTICATION_FAILED";
}

function gone(node: number): Fault {
  return unavailable(
    "BROKER_NOT_AVAILABLE",
    node < 0 ? "The sink is closed" : `Broker ${node} has left the cluster`,
  );
}

/** The protocol's error code in an error of the library. */
function errorCodeOf(error: unknown): number | undefined {
  const { errors } = error as { errors?: unknown };
  if (!Array.isArray(errors)) return undefined;
  const codes = errors.map((inner: unknown) => (inner as { apiCode?: unknown }).apiCode);
  return codes.find((code) => typeof code === "number");
}
