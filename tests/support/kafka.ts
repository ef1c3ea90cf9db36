/**
 * A real Apache Kafka for tests: one node in KRaft mode, on free ports of the loopback interface.
 *
 * @module
 */

import { join } from "node:path";
import { ignoreNotFound } from "./cache.ts";
import { lastLines } from "./command.ts";
import { Daemon } from "./daemon.ts";
import { createTopic, deleteTopic, type PartitionOffsets, topicOffsets } from "./kafka_admin.ts";
import { KAFKA_VERSION, kafkaJars } from "./kafka_jars.ts";
import { type ConsoleConsumerOptions, KafkaTools } from "./kafka_tools.ts";
import { freePort } from "./port.ts";

export type { PartitionOffsets } from "./kafka_admin.ts";
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

/** Where a broker listens on the loopback interface. */
export interface KafkaListener {
  readonly name: string;
  readonly port: number;
  readonly protocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  /** The host that clients are told. @default 127.0.0.1 */
  readonly host?: string;
}

/** How much memory a broker for tests gets. */
export const JVM_OPTIONS: readonly string[] = ["-Xmx512m", "-Xms256m"];

const READY_WITHIN_MS = 120_000;

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
  readonly #jars: string;
  readonly #folder: string;
  readonly #properties: string;
  readonly #jvmOptions: readonly string[];
  readonly #formatArgs: readonly string[];
  readonly #signal: AbortSignal | undefined;
  #daemon: Daemon | undefined;

  constructor(version: string, jars: string, options: KafkaOptions) {
    const folder = options.folder ?? Deno.makeTempDirSync({ prefix: "pg-tide-kafka-" });
    const port = freePort();
    const brokers = `127.0.0.1:${port}`;
    super(version, brokers, join(folder, "data"));
    this.dataFolder = join(folder, "data");
    this.#jars = jars;
    this.#folder = folder;
    this.#properties = propertiesOf(port, freePort(), this.dataFolder, options);
    this.#signal = options.signal;
    this.#jvmOptions = options.jvmOptions ?? JVM_OPTIONS;
    this.#formatArgs = options.formatArgs ?? [];
  }

  /** Format the storage and start for the first time. */
  async initialize(): Promise<void> {
    try {
      await Deno.writeTextFile(this.#propertiesFile, this.#properties);
      await this.#format();
      await this.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async start(): Promise<void> {
    if (this.#daemon !== undefined) return;
    const logging = "-Dorg.slf4j.simpleLogger.showDateTime=true";
    const classPath = ["-cp", join(this.#jars, "*")];
    const daemon = await Daemon.start({
      command: ["java", ...this.#jvmOptions, logging, ...classPath, "kafka.Kafka", this.#propertiesFile],
      folder: this.#folder,
      orphanSignal: "KILL",
    });
    this.#daemon = daemon;
    const isReady = async () => (await daemon.log()).includes("Kafka Server started");
    await daemon.ready("Apache Kafka", isReady, READY_WITHIN_MS, this.#signal);
  }

  async log(): Promise<string> {
    return await this.#daemon?.log() ?? "";
  }

  halt(): Promise<void> {
    return this.#end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true }).catch(ignoreNotFound);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #propertiesFile(): string {
    return join(this.#folder, "server.properties");
  }

  async #format(): Promise<void> {
    const args = ["format", "-t", clusterId(), "-c", this.#propertiesFile, ...this.#formatArgs];
    const result = await this.tools.run("kafka.tools.StorageTool", args);
    if (result.code === 0) return;
    const output = `${new TextDecoder().decode(result.stdout)}\n${result.stderr}`;
    throw new Error(`Cannot format Kafka's storage: exit code ${result.code}\n${lastLines(output)}`);
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.end(signal);
  }
}

function propertiesOf(
  port: number,
  controllerPort: number,
  data: string,
  { settings = {}, listeners = [] }: KafkaOptions,
): string {
  const plain: KafkaListener = { name: "PLAINTEXT", port, protocol: "PLAINTEXT" };
  const controller: KafkaListener = { name: "CONTROLLER", port: controllerPort, protocol: "PLAINTEXT" };
  const forClients = [plain, ...listeners];
  const all = [...forClients, controller];
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    "controller.listener.names": "CONTROLLER",
    "listeners": all.map(({ name, port }) => `${name}://127.0.0.1:${port}`).join(","),
    "advertised.listeners": forClients.map(advertised).join(","),
    "listener.security.protocol.map": all.map(({ name, protocol }) => `${name}:${protocol}`).join(","),
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": data,
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    // One node and few partitions: what a single machine needs, and a quick start of the first consumer group.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    // After a SIGKILL the new process waits until its former self has been forgotten: 9 seconds by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    ...settings,
  };
  // A file of Java's properties: a value of several lines needs its line ends escaped.
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`).join("");
}

function advertised({ name, host = "127.0.0.1", port }: KafkaListener): string {
  return `${name}://${host}:${port}`;
}

/** Kafka's own form of a UUID: 16 bytes in URL-safe base64. */
function clusterId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // A first "-" would look like a flag to the formatter.
  bytes[0] = 1;
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
