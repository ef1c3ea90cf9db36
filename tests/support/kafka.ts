/**
 * A real Apache Kafka for tests: one node, in KRaft mode or with a ZooKeeper of its own, on free ports of the loopback interface.
 *
 * @module
 */

import { join } from "node:path";
import { JavaServer, QUICK_JVM } from "./java_server.ts";
import { createTopic, deleteTopic, type PartitionOffsets, topicOffsets } from "./kafka_admin.ts";
import { clusterId, formatStorage } from "./kafka_format.ts";
import { KAFKA_VERSION, kafkaJars } from "./kafka_jars.ts";
import {
  type KafkaListener,
  kraftProperties,
  zookeeperBrokerProperties,
  zookeeperProperties,
} from "./kafka_properties.ts";
import { type ConsoleConsumerOptions, KafkaTools } from "./kafka_tools.ts";
import { freePort } from "./port.ts";

export type { PartitionOffsets } from "./kafka_admin.ts";
export type { KafkaListener } from "./kafka_properties.ts";
export type { ConsoleConsumerOptions } from "./kafka_tools.ts";

/** A broker that several test files may use at once. */
export interface SharedKafka {
  /** The release, such as `4.4.0`. */
  readonly version: string;
  /** `host:port`, as clients take it. */
  readonly brokers: string;
  /** Kafka's command-line tools of the same version. */
  readonly tools: KafkaTools;
  /** Create a topic and wait until it can be written to. @param config such as `{ "max.message.bytes": "2000" }` */
  createTopic(name: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  /** First and next offset of every partition, by partition. */
  offsets(topic: string): Promise<readonly PartitionOffsets[]>;
  /** What Kafka's own console consumer prints. */
  consoleConsumer(topic: string, options?: ConsoleConsumerOptions): Promise<string>;
  /** What `kafka-dump-log` says about a partition: batches, producer ids, sequences, codecs. */
  dumpLog(topic: string, partition: number, args?: readonly string[]): Promise<string>;
}

/** A broker of one's own. */
export interface KafkaServer extends SharedKafka, AsyncDisposable {
  /** Where its log segments are. */
  readonly dataFolder: string;
  /** What the broker has logged. */
  log(): Promise<string>;
  /** Stop as an operator would and keep ports and data. */
  halt(): Promise<void>;
  /** SIGKILL; ports and data are kept. */
  kill(): Promise<void>;
  /** Start again after {@link KafkaServer.halt} or {@link KafkaServer.kill}. */
  start(): Promise<void>;
  /** Halt, then start. */
  restart(): Promise<void>;
  /** Stop it and remove its data; twice is once. */
  stop(): Promise<void>;
}

/** What may differ from broker to broker. */
export interface KafkaOptions {
  /** @default KAFKA_VERSION */
  readonly version?: string;
  /** Who coordinates it: itself, or a ZooKeeper, as in production before Kafka 3.3 and until 3.9. @default "kraft" */
  readonly mode?: "kraft" | "zookeeper";
  /**
   * Further lines of server.properties: they win over those that this module writes.
   * `auto.create.topics.enable` is `false` unless given.
   */
  readonly settings?: Readonly<Record<string, string>>;
  /** Ends a start that is under way, and removes what it has made. */
  readonly signal?: AbortSignal;
  /** Of the JVM. @default JVM_OPTIONS */
  readonly jvmOptions?: readonly string[];
  /** Where else it listens, beside `PLAINTEXT` and for its controller. */
  readonly listeners?: readonly KafkaListener[];
  /** More for the formatter of its storage, such as the users that it knows from the start. */
  readonly formatArgs?: readonly string[];
  /** An existing folder for all of its files, which is removed with it. @default a new one */
  readonly folder?: string;
}

/** How much memory a broker for tests gets. */
export const JVM_OPTIONS: readonly string[] = ["-Xmx512m", "-Xms256m"];

const ZOOKEEPER_JVM_OPTIONS = ["-Xmx128m", ...QUICK_JVM];

/**
 * Start a broker; the first call on a machine downloads it.
 *
 * @throws MissingToolError when Java 17 or Maven is not installed
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const version = options.version ?? KAFKA_VERSION;
  const server = new LocalKafka(version, await kafkaJars(version), options);
  await server.initialize();
  return server;
}

let shared: Promise<SharedKafka> | undefined;

/**
 * The broker that the test runner has started and named in `TIDE_TEST_KAFKA_BROKERS` (and its folder in
 * `TIDE_TEST_KAFKA_DATA`, its release in `TIDE_TEST_KAFKA_VERSION`); without the runner one is started for this test file and ends with it.
 */
export function sharedKafka(): Promise<SharedKafka> {
  const brokers = Deno.env.get("TIDE_TEST_KAFKA_BROKERS");
  shared ??= brokers === undefined ? startKafka() : Promise.resolve(
    new RunningKafka(
      Deno.env.get("TIDE_TEST_KAFKA_VERSION") ?? KAFKA_VERSION,
      brokers,
      Deno.env.get("TIDE_TEST_KAFKA_DATA"),
    ),
  );
  return shared;
}

/** A broker that is asked, and neither started nor stopped. */
class RunningKafka implements SharedKafka {
  readonly version: string;
  readonly brokers: string;
  readonly tools: KafkaTools;
  readonly #data: string | undefined;

  constructor(version: string, brokers: string, data: string | undefined) {
    this.version = version;
    this.brokers = brokers;
    this.tools = new KafkaTools(version, brokers);
    this.#data = data;
  }

  createTopic(name: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<void> {
    return createTopic(this.brokers, name, partitions, config);
  }

  deleteTopic(name: string): Promise<void> {
    return deleteTopic(this.brokers, name);
  }

  offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return topicOffsets(this.brokers, topic);
  }

  async consoleConsumer(topic: string, options?: ConsoleConsumerOptions): Promise<string> {
    return new TextDecoder().decode(await this.tools.consoleConsumer(topic, options));
  }

  async dumpLog(topic: string, partition: number, args?: readonly string[]): Promise<string> {
    if (this.#data === undefined) {
      throw new Error("Cannot dump a log: TIDE_TEST_KAFKA_DATA is not set, expected the broker's log folder");
    }
    const folder = join(this.#data, `${topic}-${partition}`);
    const segments: string[] = [];
    for await (const entry of Deno.readDir(folder)) {
      if (entry.name.endsWith(".log")) segments.push(join(folder, entry.name));
    }
    return await this.tools.dumpLog(segments.toSorted(), args);
  }
}

/** A broker that this process has started. */
class LocalKafka extends RunningKafka implements KafkaServer {
  readonly dataFolder: string;
  readonly #options: KafkaOptions;
  readonly #port: number;
  readonly #server: JavaServer;
  /** Runs as long as the broker's data is there, also while the broker is down. */
  readonly #zookeeper: JavaServer | undefined;

  constructor(version: string, jars: string, options: KafkaOptions) {
    const folder = options.folder ?? Deno.makeTempDirSync({ prefix: "pg-tide-kafka-" });
    const { jvmOptions = JVM_OPTIONS, mode, signal } = options;
    const port = freePort();
    super(version, `127.0.0.1:${port}`, join(folder, "data"));
    this.dataFolder = join(folder, "data");
    this.#options = options;
    this.#port = port;
    const shared = { jars, signal };
    this.#server = new JavaServer({
      ...shared,
      title: "Apache Kafka",
      mainClass: "kafka.Kafka",
      jvmOptions,
      readyText: mode === "zookeeper" ? "[KafkaServer id=1] started" : "Kafka Server started",
      folder,
    });
    if (mode !== "zookeeper") return;
    this.#zookeeper = new JavaServer({
      ...shared,
      title: "Apache ZooKeeper",
      mainClass: "org.apache.zookeeper.server.quorum.QuorumPeerMain",
      jvmOptions: ZOOKEEPER_JVM_OPTIONS,
      readyText: "PrepRequestProcessor (sid:0) started",
      folder: join(folder, "zookeeper"),
    });
  }

  /** Prepare its storage, or its ZooKeeper, and start for the first time. */
  async initialize(): Promise<void> {
    try {
      if (this.#zookeeper === undefined) await this.#prepare();
      else await this.#prepareWith(this.#zookeeper);
      await this.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  log(): Promise<string> {
    return this.#server.log();
  }

  halt(): Promise<void> {
    return this.#server.end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#server.end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#server.end("SIGKILL");
    await this.#zookeeper?.remove();
    await this.#server.remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #place() {
    const { listeners = [] } = this.#options;
    return { id: 1, port: this.#port, listeners, data: this.dataFolder };
  }

  async #prepare(): Promise<void> {
    const controllerPort = freePort();
    const voters = `1@127.0.0.1:${controllerPort}`;
    const properties = kraftProperties({ ...this.#place, controllerPort, voters });
    await this.#server.configure({ ...properties, ...this.#options.settings });
    await formatStorage(this.tools, clusterId(), this.#server.propertiesFile, this.#options.formatArgs);
  }

  async #prepareWith(zookeeper: JavaServer): Promise<void> {
    const port = freePort();
    await Deno.mkdir(zookeeper.folder);
    await zookeeper.configure(zookeeperProperties(port, join(zookeeper.folder, "data")));
    await zookeeper.start();
    const properties = zookeeperBrokerProperties(this.#place, port);
    await this.#server.configure({ ...properties, ...this.#options.settings });
  }
}
