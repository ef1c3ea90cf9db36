/**
 * The cluster: its brokers, one connection to each, and who leads which partition.
 *
 * @module
 */

import { type Fault, FaultError, unavailable } from "@pg-tide/sdk";
import { type Credentials, credentialsOf } from "../authentication/credentials.ts";
import { BrokerConnection, type Metadata } from "./broker_connection.ts";
import { classify } from "../fault/classify.ts";
import type { Clock } from "../clock.ts";
import type { ClusterPort, Producer, Topic } from "./cluster_port.ts";
import { type Address, formatAddress } from "../config/connection.ts";
import type { Options } from "../config/options.ts";
import { connectionFault } from "../fault/connection_fault.ts";
import { blockedFault, unansweredFault } from "../fault/faults.ts";
import { gravestOf } from "../fault/gravest.ts";
import { learnTopic } from "./topic.ts";

/** How long brokers are tried one after the other before the question is given up, in milliseconds. The kernel waits 120 s. */
const SEARCH_MS = 60_000;

/** A broker that has owed an answer for so long, in milliseconds, may hang: the others are asked first. */
const SILENT_MS = 1_000;

/** A cluster that is being talked to. */
export class Cluster implements ClusterPort {
  #options: Options;
  readonly #clock: Clock;
  /** What every broker is shown. */
  #credentials: Credentials | undefined;
  readonly #nodes = new Map<number, Address>();
  /** Where its brokers stand, as they say themselves. */
  #racks: ReadonlySet<string> = new Set();
  readonly #connections = new Map<string, BrokerConnection>();
  /** Connections that only wait for their last answers. */
  readonly #retired = new Set<BrokerConnection>();
  readonly #topics = new Map<string, Topic>();
  /** Topics that were looked up lately. */
  readonly #used = new Set<string>();
  #refreshing: Promise<void> | undefined;
  /** Topics that were asked for and not answered yet. */
  readonly #wanted = new Set<string>();
  #asOfMs = -Infinity;
  #closed = false;

  constructor(options: Options, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#credentials = options.sasl && credentialsOf(options.sasl, clock);
  }

  /** Every broker that the cluster has named, and the configured ones. */
  get hosts(): string[] {
    return [...new Set([...this.#options.brokers, ...this.#nodes.values()].map(formatAddress))];
  }

  /** The racks that its brokers are in. */
  get racks(): ReadonlySet<string> {
    return this.#racks;
  }

  /** See {@link ClusterPort.asOfMs}. */
  get asOfMs(): number {
    return this.#asOfMs;
  }

  /** See {@link ClusterPort.topic}. */
  topic(name: string): Topic | undefined {
    this.#used.add(name);
    return this.#topics.get(name);
  }

  /** See {@link ClusterPort.leaderOf}. */
  leaderOf(topic: string, partition: number): number {
    const node = this.#topics.get(topic)?.leaders[partition] ?? -1;
    return this.#nodes.has(node) ? node : -1;
  }

  /** See {@link ClusterPort.reconfigure}. */
  reconfigure(options: Options): void {
    this.#options = options;
    this.#credentials = options.sasl && credentialsOf(options.sasl, this.#clock);
    for (const connection of this.#connections.values()) this.#retire(connection);
  }

  /** See {@link ClusterPort.close}. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#connections.values(), ...this.#retired];
    this.#connections.clear();
    await Promise.all(all.map((connection) => connection.close()));
  }

  /** See {@link ClusterPort.connect}. */
  async connect(node: number): Promise<BrokerConnection> {
    const address = this.#nodes.get(node);
    if (address === undefined) throw new FaultError(gone(node));
    return await this.#open(address);
  }

  /** See {@link ClusterPort.connected}. */
  connected(node: number): BrokerConnection | undefined {
    const address = this.#nodes.get(node);
    const connection = address && this.#connections.get(formatAddress(address));
    return connection?.ready ? connection : undefined;
  }

  /** See {@link ClusterPort.refresh}. Calls that come while a question is under way are answered by one further question. */
  async refresh(topics: Iterable<string>): Promise<void> {
    for (const topic of topics) this.#wanted.add(topic);
    const before = this.#refreshing;
    if (before !== undefined) await before.catch(() => {});
    this.#refreshing ??= this.#refresh().finally(() => this.#refreshing = undefined);
    await this.#refreshing;
  }

  /** See {@link ClusterPort.forgetUnused}. */
  forgetUnused(): void {
    for (const topic of this.#topics.keys()) if (!this.#used.has(topic)) this.#topics.delete(topic);
    this.#used.clear();
  }

  /** See {@link ClusterPort.initProducerId}. */
  async initProducerId(): Promise<Producer> {
    return await this.#withAny(async (connection) => {
      try {
        return await connection.initProducerId();
      } catch (error) {
        throw this.#refused(error, connection.address) ?? error;
      }
    });
  }

  async #refresh(): Promise<void> {
    const topics = [...new Set([...this.#topics.keys(), ...this.#wanted])];
    const askedMs = this.#clock.monotonicMs();
    const metadata = await this.#withAny((connection) => connection.metadata(topics));
    this.#asOfMs = askedMs;
    for (const topic of topics) this.#wanted.delete(topic);
    this.#learn(metadata);
  }

  #learn(metadata: Metadata): void {
    this.#nodes.clear();
    for (const { nodeId, host, port } of metadata.brokers) this.#nodes.set(nodeId, { host, port });
    this.#racks = new Set(metadata.brokers.flatMap(({ rack }) => rack ?? []));
    const { clientRack } = this.#options;
    for (const topic of metadata.topics) {
      if (typeof topic.name !== "string") continue;
      const before = this.#topics.get(topic.name);
      this.#topics.set(topic.name, learnTopic(topic, metadata.brokers, clientRack, before));
    }
    for (const [key, connection] of this.#connections) if (connection.lost) this.#connections.delete(key);
  }

  /** Do something on any broker: on one that is connected if possible, else on each in turn until one can be reached. */
  async #withAny<T>(ask: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    const endMs = this.#clock.monotonicMs() + SEARCH_MS;
    const faults = new Map<string, Fault>();
    for (const address of this.#candidates()) {
      try {
        return await ask(await this.#open(address));
      } catch (error) {
        const found = error instanceof FaultError ? error.fault : this.#faultOf(error, address);
        faults.set(formatAddress(address), found);
        if (found.kind === "configuration" && !isConnectionTrouble(found.code)) break;
        if (this.#clock.monotonicMs() >= endMs) break;
      }
    }
    throw new FaultError(this.#gravest(faults));
  }

  /** What is told of the faults of several brokers: the same again, wherever the search began. */
  #gravest(faults: ReadonlyMap<string, Fault>): Fault {
    const hosts = [...new Set([...this.hosts, ...faults.keys()])];
    const inOrder = hosts.flatMap((host) => faults.get(host) ?? []);
    return inOrder.length === 0 ? gone(-1) : gravestOf(inOrder);
  }

  /**
   * Connected brokers first, then the configured ones and those that the cluster has named, from a random one on. Those that may hang
   * come last.
   */
  #candidates(): Address[] {
    const ready = [...this.#connections.values()].filter((connection) => connection.ready);
    const quickest = ready.toSorted((one, other) => one.silentMs - other.silentMs);
    const others = [...this.#options.brokers, ...this.#nodes.values()];
    const start = Math.floor(this.#clock.random() * others.length);
    const inOrder = [
      ...quickest.map(({ address }) => address),
      ...others.slice(start),
      ...others.slice(0, start),
    ];
    const all = [...new Map(inOrder.map((address) => [formatAddress(address), address])).entries()];
    const silent = ready.filter(({ silentMs }) => silentMs >= SILENT_MS);
    const hanging = new Set(silent.map(({ address }) => formatAddress(address)));
    return [
      ...all.filter(([key]) => !hanging.has(key)),
      ...all.filter(([key]) => hanging.has(key)),
    ].map(([, address]) => address);
  }

  async #open(address: Address): Promise<BrokerConnection> {
    if (this.#closed) throw new FaultError(gone(-1));
    const key = formatAddress(address);
    let connection = this.#connections.get(key);
    if (connection === undefined || connection.lost) {
      connection = new BrokerConnection({
        address,
        options: this.#options,
        clock: this.#clock,
        credentials: this.#credentials,
        onSpent: (spent) => this.#retire(spent),
      });
      this.#connections.set(key, connection);
    }
    try {
      await connection.open();
      return connection;
    } catch (error) {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
      throw new FaultError(this.#faultOf(error, address), { cause: error });
    }
  }

  /** Close a connection once it has its answers. Nobody is given it any more: whoever needs one gets another. */
  #retire(connection: BrokerConnection): void {
    const key = formatAddress(connection.address);
    if (this.#connections.get(key) === connection) this.#connections.delete(key);
    this.#retired.add(connection);
    connection.retire().finally(() => this.#retired.delete(connection));
  }

  #faultOf(error: unknown, address: Address): Fault {
    if (error instanceof FaultError) return error.fault;
    const advertised = this.#isAdvertised(address);
    const attempt = { address, advertised, options: this.#options, nowMs: this.#clock.wallMs() };
    const fault = connectionFault(error, attempt);
    // All of them at once: each further grant costs a restart of the Worker.
    return fault.kind === "hosts" ? { kind: "hosts", hosts: this.hosts } : fault;
  }

  #isAdvertised(address: Address): boolean {
    const key = formatAddress(address);
    return !this.#options.brokers.some((configured) => formatAddress(configured) === key);
  }

  /** The fault of a request that the broker answered with an error. */
  #refused(error: unknown, address: Address): FaultError | undefined {
    const code = errorCodeOf(error);
    if (code === undefined) return undefined;
    const fault = classify(code).decision === "blocked"
      ? blockedFault(code, null, "get a producer id", undefined, this.#options)
      : unansweredFault(code, "get a producer id", address);
    return new FaultError(fault, { cause: error });
  }
}

/** Trouble of a connection may be one broker's alone; a refused request would be refused by all. */
function isConnectionTrouble(code: string): boolean {
  return /^TLS_|SASL/.test(code);
}

function gone(node: number): Fault {
  return node < 0
    ? unavailable("SINK_CLOSED", "The sink is closed")
    : unavailable("BROKER_NOT_AVAILABLE", `Broker ${node} has left the cluster`);
}

/** The protocol's error code in an error of the library. */
function errorCodeOf(error: unknown): number | undefined {
  const { errors } = error as { errors?: unknown };
  if (!Array.isArray(errors)) return undefined;
  const codes = errors.map((inner: unknown) => (inner as { apiCode?: unknown }).apiCode);
  return codes.find((code) => typeof code === "number");
}
