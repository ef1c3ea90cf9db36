/**
 * A proxy between a client and a real broker of Kafka that understands what passes, and does harm by a schedule.
 *
 * To its clients it is a cluster of several brokers (*nodes*), each at a port of its own; behind all of them stands the one real
 * broker, which checks what clients promise: numbers, leaders' order, records. Who leads a partition is the proxy's to say, and a node that
 * does not lead one answers as brokers do. Time goes on as it does; what happens is decided by the seed (see `fault_schedule.ts`).
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { chanceOf } from "./chance.ts";
import { FaultLedger } from "./fault_ledger.ts";
import { FaultLink, type LinkPorts } from "./fault_link.ts";
import {
  decide,
  decideConnection,
  type Decision,
  type FaultMix,
  mixOf,
  type Occasion,
  type Planned,
} from "./fault_schedule.ts";
import { FaultTrace } from "./fault_trace.ts";
import type { RequestHead } from "./kafka_wire.ts";
import {
  type AdvertisedNode,
  API_VERSIONS_KEY,
  capVersions,
  INIT_PRODUCER_ID_KEY,
  METADATA_KEY,
  rewriteMetadata,
} from "./metadata_wire.ts";
import { freePort } from "./port.ts";
import { PRODUCE_KEY } from "./produce_wire.ts";

/** Requests in the trace. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [PRODUCE_KEY, "Produce"],
  [METADATA_KEY, "Metadata"],
  [API_VERSIONS_KEY, "ApiVersions"],
  [INIT_PRODUCER_ID_KEY, "InitProducerId"],
]);

/** How a {@link FaultProxy} is made. */
export interface FaultProxyOptions {
  /** `host:port` of the real broker. */
  readonly brokers: string;
  readonly seed: number;
  /** @default what the seed says */
  readonly mix?: FaultMix;
  /** How many brokers it pretends to be. @default 3 */
  readonly nodes?: number;
  /** Where it listens. @default 127.0.0.1 */
  readonly host?: string;
  /** The highest version of some requests, by their numbers, that is offered. */
  readonly versions?: ReadonlyMap<number, number>;
  /** What is to happen to a request, where chance has no say. */
  readonly plan?: (occasion: Occasion, apiKey: number) => Planned | undefined;
}

/** A proxy that pretends to be a cluster. */
export class FaultProxy implements AsyncDisposable {
  readonly trace = new FaultTrace();
  /** What happens from now on; may be changed while it runs. */
  mix: FaultMix;
  /** Where it listens. */
  readonly nodes: readonly AdvertisedNode[];
  /** What clients are told about the nodes; may be changed while it runs. */
  advertised: readonly AdvertisedNode[];
  /** What the proxy itself stumbled over: a test must find none. */
  readonly errors: unknown[] = [];
  readonly #options: FaultProxyOptions;
  readonly #servers: readonly Server[];
  /** With the node that each leads to. */
  readonly #links = new Map<FaultLink, number>();
  readonly #silent = new Set<number>();
  readonly #muted = new Set<Socket>();
  readonly #ledger = new FaultLedger();
  readonly #leaders = new Map<string, number>();
  readonly #connections = new Map<number, number>();

  private constructor(options: FaultProxyOptions) {
    const { host = "127.0.0.1", nodes = 3, seed } = options;
    this.#options = options;
    this.mix = options.mix ?? mixOf(seed);
    this.nodes = Array.from({ length: nodes }, (_, i) => ({ nodeId: 1 + i, host, port: freePort() }));
    this.advertised = this.nodes;
    this.#servers = this.nodes.map(({ nodeId }) => createServer((client) => this.#accept(client, nodeId)));
  }

  /** Open it. */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await Promise.all(proxy.#servers.map((server, i) => {
      server.listen(proxy.nodes[i]!.port, proxy.nodes[i]!.host);
      return once(server, "listening");
    }));
    return proxy;
  }

  /** The addresses of its nodes, as clients take them. */
  get brokers(): string {
    return this.nodes.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",");
  }

  /** How many batches clients have sent again. */
  get retries(): number {
    return this.#ledger.repeated;
  }

  /** How many connections to a node there have been. */
  connectionsOf(nodeId: number): number {
    return this.#connections.get(nodeId) ?? 0;
  }

  /** Say who leads a partition from now on. */
  lead(topic: string, partition: number, nodeId: number): void {
    this.#leaders.set(`${topic}/${partition}`, nodeId);
  }

  /** Reset every connection there is. */
  cut(): void {
    for (const link of this.#links.keys()) link.destroy();
  }

  /** Let a node hang: it takes connections, and nothing passes on them nor on those there are. */
  silence(nodeId: number): void {
    this.#silent.add(nodeId);
    for (const [link, node] of this.#links) if (node === nodeId) link.silence();
  }

  /** Let new connections to a node be as before. */
  unsilence(nodeId: number): void {
    this.#silent.delete(nodeId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map((server) => once(server, "close"));
    for (const server of this.#servers) server.close();
    for (const socket of this.#muted) socket.resetAndDestroy();
    const links = [...this.#links.keys()];
    for (const link of links) link.destroy();
    await Promise.all([...closed, ...links.map((link) => link.settled())]);
  }

  #accept(client: Socket, nodeId: number): void {
    const connection = (this.#connections.get(nodeId) ?? 0) + 1;
    this.#connections.set(nodeId, connection);
    const occasion = { node: nodeId, connection, request: 0 };
    const name = `node ${nodeId}, connection ${connection}`;
    const kind = this.#silent.has(nodeId) ? "mute" : decideConnection(this.#options.seed, this.mix, occasion);
    if (kind !== null) this.trace.note(kind, name);
    client.on("error", () => {});
    if (kind === "reset") return void client.resetAndDestroy();
    if (kind === "mute") {
      this.#muted.add(client);
      client.on("close", () => this.#muted.delete(client));
      return;
    }
    let request = 0;
    this.#join(client, nodeId, {
      ledger: this.#ledger,
      decide: ({ apiKey }) => this.#decide({ ...occasion, request: ++request }, apiKey),
      leads: (topic, partition) => this.#leaderOf(topic, partition) === nodeId,
      move: (topic, partition) => this.#move(topic, partition),
      rewrite: (answer, head, decision) => this.#rewrite(answer, head, decision),
      note: (kind, { apiKey, correlationId }, what) =>
        this.trace.note(kind, `${name}, ${NAMES.get(apiKey) ?? apiKey} ${correlationId}: ${what}`),
      onError: (error) => this.errors.push(error),
    });
  }

  #decide(occasion: Occasion, apiKey: number): Decision {
    const { plan, seed } = this.#options;
    return { ...decide(seed, this.mix, occasion, apiKey), ...plan?.(occasion, apiKey) };
  }

  #join(client: Socket, nodeId: number, ports: LinkPorts): void {
    const [host, port] = this.#options.brokers.split(":");
    const server = connect({ host: host!, port: Number(port) });
    const link = new FaultLink(client, server, ports);
    this.#links.set(link, nodeId);
    server.on("close", () => link.settled().then(() => this.#links.delete(link)));
  }

  #rewrite(answer: Buffer, head: RequestHead, decision: Decision): Buffer {
    const { versions } = this.#options;
    if (head.apiKey === API_VERSIONS_KEY && versions !== undefined) return capVersions(answer, versions);
    if (head.apiKey !== METADATA_KEY) return answer;
    const leaderOf = (topic: string, partition: number) => {
      if (decision.kind !== "leaderless" || decision.chance() < 0.6) return this.#leaderOf(topic, partition);
      this.trace.note("leaderless", `${topic}/${partition}`);
      return -1;
    };
    return rewriteMetadata(answer, head.version, { nodes: this.advertised, leaderOf });
  }

  #leaderOf(topic: string, partition: number): number {
    const key = `${topic}/${partition}`;
    let leader = this.#leaders.get(key);
    if (leader === undefined) {
      leader = this.#drawLeader(this.advertised.map(({ nodeId }) => nodeId));
      this.#leaders.set(key, leader);
    }
    return leader;
  }

  #move(topic: string, partition: number): void {
    const before = this.#leaderOf(topic, partition);
    const others = this.advertised.map(({ nodeId }) => nodeId).filter((nodeId) => nodeId !== before);
    if (others.length > 0) this.#leaders.set(`${topic}/${partition}`, this.#drawLeader(others));
  }

  /** By how many there have been: topics have other names in each run. */
  #drawLeader(nodes: readonly number[]): number {
    const chance = chanceOf(this.#options.seed, this.#elections++);
    return nodes[Math.floor(chance() * nodes.length)]!;
  }
  #elections = 0;
}
