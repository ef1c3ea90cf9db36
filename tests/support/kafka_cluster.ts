/**
 * An Apache Kafka of several nodes for tests: each a broker and a controller (KRaft) in a process of its own, with replicas on
 * all of them, so that it outlives the loss of one.
 *
 * ```ts
 * await using cluster = await KafkaCluster.start();
 * await cluster.createTopic("events", 6);
 * const [leader] = await cluster.leaders("events");
 * await cluster.node(leader!).kill();
 * ```
 *
 * @module
 */

import type { Admin } from "kafkajs";
import { join } from "node:path";
import { JavaServer, QUICK_JVM } from "./java_server.ts";
import { administer, typeOf } from "./kafka_admin.ts";
import { clusterId, formatStorage } from "./kafka_format.ts";
import { KAFKA_VERSION, kafkaJars } from "./kafka_jars.ts";
import { type KraftPlace, kraftProperties, type Properties } from "./kafka_properties.ts";
import { KafkaTools } from "./kafka_tools.ts";
import { freePort } from "./port.ts";
import { waitUntil } from "./wait.ts";

/** How many nodes, and so how many replicas each partition has. */
export const NODES = 3;

/** Of which so many must be in sync for a write. */
const IN_SYNC_MIN = 2;

const JVM_OPTIONS = ["-Xmx256m", "-Xms64m", ...QUICK_JVM];

/** Long enough for elections and for replicas to catch up on a machine that does several other things. */
const PATIENCE = { timeoutMs: 120_000, intervalMs: 100 };

/** A partition as the cluster describes it. */
interface PartitionState {
  readonly partition: number;
  /** A node's number, or -1. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
}

/** A node of {@link KafkaCluster}. */
export class ClusterNode {
  readonly id: number;
  readonly #server: JavaServer;
  readonly #data: string;
  readonly #propertiesAt: (port: number) => Properties;
  #port: number;

  constructor(
    id: number,
    server: JavaServer,
    data: string,
    propertiesAt: (port: number) => Properties,
  ) {
    this.id = id;
    this.#server = server;
    this.#data = data;
    this.#propertiesAt = propertiesAt;
    this.#port = freePort();
  }

  /** `host:port`, where clients reach it. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Whether it was started and not ended. */
  get running(): boolean {
    return this.#server.running;
  }

  /** Write its properties and format its storage, before its first start. */
  async format(tools: KafkaTools, cluster: string): Promise<void> {
    await this.#server.configure(this.#propertiesAt(this.#port));
    await formatStorage(tools, cluster, this.#server.propertiesFile);
  }

  /** Start it, unless it runs, and wait until it serves. */
  start(): Promise<void> {
    return this.#server.start();
  }

  /** Stop it as an operator would: its partitions get other leaders before it goes. */
  halt(): Promise<void> {
    return this.#server.end("SIGTERM");
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#server.end("SIGKILL");
  }

  /** Let it stand still with its connections open, as a machine without processor time, until {@link ClusterNode.thaw}. */
  freeze(): Promise<void> {
    return this.#server.signal("SIGSTOP");
  }

  thaw(): Promise<void> {
    return this.#server.signal("SIGCONT");
  }

  /** While it is down: have another address from its next start on. */
  async move(): Promise<void> {
    this.#port = freePort();
    await this.#server.configure(this.#propertiesAt(this.#port));
  }

  /** What it has logged since its last start. */
  log(): Promise<string> {
    return this.#server.log();
  }

  /** Who it believes leads the controllers, and in which epoch. */
  async quorum(): Promise<{ readonly leaderId: number; readonly leaderEpoch: number }> {
    return JSON.parse(await Deno.readTextFile(join(this.#data, "__cluster_metadata-0", "quorum-state")));
  }

  /** Kill it and remove its data. */
  remove(): Promise<void> {
    return this.#server.remove();
  }
}

/** A running cluster; it ends with this process. */
export class KafkaCluster implements AsyncDisposable {
  readonly nodes: readonly ClusterNode[];
  readonly #version: string;

  private constructor(version: string, nodes: readonly ClusterNode[]) {
    this.#version = version;
    this.nodes = nodes;
  }

  /** Start all nodes. @param settings further lines of a node's server.properties */
  static async start(settings: (id: number) => Properties = () => ({})): Promise<KafkaCluster> {
    const jars = await kafkaJars(KAFKA_VERSION);
    const controllers = Array.from({ length: NODES }, (_, i) => ({ id: i + 1, port: freePort() }));
    const voters = controllers.map(({ id, port }) => `${id}@127.0.0.1:${port}`).join(",");
    const nodes = controllers.map(({ id, port: controllerPort }) => {
      const folder = Deno.makeTempDirSync({ prefix: "pg-tide-kafka-" });
      const data = join(folder, "data");
      const server = new JavaServer({
        title: `node ${id} of Apache Kafka`,
        jars,
        mainClass: "kafka.Kafka",
        jvmOptions: JVM_OPTIONS,
        readyText: "Kafka Server started",
        folder,
      });
      return new ClusterNode(id, server, data, (port) => ({
        ...propertiesOf({ id, port, controllerPort, voters, data }),
        ...settings(id),
      }));
    });
    const cluster = new KafkaCluster(KAFKA_VERSION, nodes);
    try {
      const name = clusterId();
      await Promise.all(nodes.map((node) => node.format(cluster.tools, name)));
      await Promise.all(nodes.map((node) => node.start()));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Every node, as clients take it. */
  get brokers(): string {
    return this.nodes.map(({ address }) => address).join(",");
  }

  /** Kafka's command-line tools of the same version. */
  get tools(): KafkaTools {
    return new KafkaTools(this.#version, this.brokers);
  }

  node(id: number): ClusterNode {
    return this.nodes.find((node) => node.id === id)!;
  }

  /** The others. */
  besides(id: number): readonly ClusterNode[] {
    return this.nodes.filter((node) => node.id !== id);
  }

  /**
   * Create a topic and wait until all its replicas are in sync.
   *
   * @param replicas for each partition its nodes, the preferred leader first; by default all, and the leaders spread evenly
   */
  async createTopic(
    name: string,
    partitions: number,
    config: Properties = {},
    replicas: (partition: number) => readonly number[] = spread,
  ): Promise<void> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    const replicaAssignment = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      replicas: [...replicas(partition)],
    }));
    await administer(this.brokers, async (admin) => {
      await admin.createTopics({
        topics: [{ topic: name, replicaAssignment, configEntries }],
        waitForLeaders: false,
      });
    });
    await this.inSync();
  }

  async deleteTopic(name: string): Promise<void> {
    await administer(this.brokers, (admin) => admin.deleteTopics({ topics: [name] }));
  }

  /** The number of each partition's leader. Waits while one has none. */
  async leaders(topic: string): Promise<readonly number[]> {
    const describe = async () => (await this.#describe([topic]))?.flat();
    const partitions = await waitUntil(describe, { what: `the leaders of topic ${topic}`, ...PATIENCE });
    return partitions.map(({ leader }) => leader);
  }

  /** Wait until a node leads nothing of these topics. */
  async lost(id: number, topics: readonly string[]): Promise<void> {
    const isGone = async () => (await this.#describe(topics))?.flat().every(({ leader }) => leader !== id);
    await waitUntil(isGone, { what: `other leaders than node ${id}`, ...PATIENCE });
  }

  /** Wait until a partition of a topic has no leader. */
  async leaderless(topic: string): Promise<void> {
    const isSo = async () =>
      await this.#ask((admin) => admin.fetchTopicMetadata({ topics: [topic] })) === "LEADER_NOT_AVAILABLE";
    await waitUntil(isSo, { what: `topic ${topic} to lack a leader`, ...PATIENCE });
  }

  /** Wait until every partition has a leader and all its replicas in sync. */
  async inSync(): Promise<void> {
    const isWhole = ({ replicas, inSync }: PartitionState) => inSync.length === replicas.length;
    const isSo = async () => (await this.#describe())?.flat().every(isWhole);
    await waitUntil(isSo, { what: "all replicas to be in sync", ...PATIENCE });
  }

  /** Give the partitions of topics other replicas, and wait until they are in sync. */
  async reassign(
    topics: readonly string[],
    replicas: (partition: number) => readonly number[],
  ): Promise<void> {
    const known = await Promise.all(
      topics.map(async (topic) => ({ topic, leaders: await this.leaders(topic) })),
    );
    const wanted = known.map(({ topic, leaders }) => ({
      topic,
      partitionAssignment: leaders.map((_, partition) => ({ partition, replicas: [...replicas(partition)] })),
    }));
    await administer(this.brokers, (admin) => admin.alterPartitionReassignments({ topics: wanted }));
    const isAsWanted = ({ partition, replicas: now, inSync }: PartitionState) =>
      now.toString() === replicas(partition).toString() && inSync.length === now.length;
    const isSo = async () => (await this.#describe(topics))?.flat().every(isAsWanted);
    await waitUntil(isSo, { what: "the new replicas to be in sync", ...PATIENCE });
  }

  /** The number of the active controller. */
  async controller(): Promise<number> {
    const states = await Promise.all(
      this.nodes.filter(({ running }) => running).map((node) => node.quorum()),
    );
    const newest = states.reduce((one, other) => other.leaderEpoch > one.leaderEpoch ? other : one);
    return newest.leaderId;
  }

  /** Kill all nodes and remove their data; twice is once. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.remove()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Topics as one of the running nodes knows them; undefined when none tells, or one of them is missing or has no leader. */
  async #describe(topics?: readonly string[]): Promise<readonly (readonly PartitionState[])[] | undefined> {
    const asked = topics === undefined ? undefined : { topics: [...topics] };
    const known = await this.#ask((admin) => admin.fetchTopicMetadata(asked));
    return typeof known === "string" ? undefined : known.topics.map(({ partitions }) =>
      partitions
        .map(({ partitionId: partition, leader, replicas, isr }) => ({
          partition,
          leader,
          replicas,
          inSync: isr,
        }))
        .toSorted((one, other) => one.partition - other.partition)
    );
  }

  /** The answer of one of the running nodes, or the name of the error; a node may go while it is asked. */
  async #ask<Answer extends object>(question: (admin: Admin) => Promise<Answer>): Promise<Answer | string> {
    const running = this.nodes.filter((node) => node.running).map(({ address }) => address).join(",");
    try {
      return await administer(running, question, 2);
    } catch (error) {
      return typeOf(error);
    }
  }
}

/** The nodes of a partition, with each of them as the first of as many partitions. */
function spread(partition: number): readonly number[] {
  return Array.from({ length: NODES }, (_, i) => (partition + i) % NODES + 1);
}

function propertiesOf(place: KraftPlace): Properties {
  return {
    ...kraftProperties(place),
    "default.replication.factor": String(NODES),
    "min.insync.replicas": String(IN_SYNC_MIN),
    "offsets.topic.replication.factor": String(NODES),
    // Leaders go back to their preferred nodes when a test says so, and not in between.
    "auto.leader.rebalance.enable": "false",
  };
}
