/**
 * Kafka's own command-line tools: what a user would look with, and no code of this project.
 *
 * @module
 */

import { join } from "node:path";
import { useClassArchive } from "./class_archive.ts";
import { type CommandOptions, type CommandResult, lastLines, runCommand } from "./command.ts";
import { QUICK_JVM } from "./java_server.ts";
import { findClass, kafkaJars } from "./kafka_jars.ts";

/** What {@link KafkaTools.consoleConsumer} reads and how it prints. */
export interface ConsoleConsumerOptions {
  /** @default true */
  readonly fromBeginning?: boolean;
  /** Ends after so many records; without it, when none came for `timeoutMs`. */
  readonly maxMessages?: number;
  /** Ends when no record came for so long. @default 30_000 */
  readonly timeoutMs?: number;
  /** Of the formatter, such as `{ "print.key": "true" }`. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Of the consumer, such as `{ "isolation.level": "read_committed" }`. */
  readonly consumerProperties?: Readonly<Record<string, string>>;
}

/** The tools of one version of Kafka. Each call starts a JVM, which takes a second or two. */
export class KafkaTools {
  readonly #version: string;
  readonly #brokers: string;

  /** @param brokers whom the tools ask */
  constructor(version: string, brokers: string) {
    this.#version = version;
    this.#brokers = brokers;
  }

  /** Run any main class of Kafka's jars. */
  async run(
    mainClass: string,
    args: readonly string[],
    { logLevel = "warn", ...options }: CommandOptions & { readonly logLevel?: string } = {},
  ): Promise<CommandResult> {
    const jars = await kafkaJars(this.#version);
    const quick = ["-Xmx256m", ...QUICK_JVM, ...await useClassArchive(jars)];
    const logging = `-Dorg.slf4j.simpleLogger.defaultLogLevel=${logLevel}`;
    return await runCommand("java", ["-cp", join(jars, "*"), ...quick, logging, mainClass, ...args], options);
  }

  /**
   * What `kafka-console-consumer` prints, byte for byte.
   *
   * @throws Error when it fails, with what it said
   */
  async consoleConsumer(
    topic: string,
    options: ConsoleConsumerOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { fromBeginning = true, maxMessages, timeoutMs = 30_000 } = options;
    const args = ["--bootstrap-server", this.#brokers, "--topic", topic, "--timeout-ms", String(timeoutMs)];
    if (fromBeginning) args.push("--from-beginning");
    if (maxMessages !== undefined) args.push("--max-messages", String(maxMessages));
    args.push(...pairs("--property", options.properties));
    args.push(...pairs("--consumer-property", options.consumerProperties));
    const candidates: [string, string] = [
      "org.apache.kafka.tools.consumer.ConsoleConsumer",
      "kafka.tools.ConsoleConsumer",
    ];
    return (await this.#succeed(candidates, args)).stdout;
  }

  /** Write records with `kafka-console-producer`. @param lines a key, a tab, a value and a newline for each */
  async consoleProducer(topic: string, lines: string): Promise<void> {
    const candidates: [string, string] = [
      "org.apache.kafka.tools.ConsoleProducer",
      "kafka.tools.ConsoleProducer",
    ];
    const args = ["--bootstrap-server", this.#brokers, "--topic", topic, "--property", "parse.key=true"];
    await this.#succeed(candidates, args, { input: lines });
  }

  /** Give a user of SCRAM a password with `kafka-configs`, and make the user if there is none. Open connections stay. */
  async setPassword(username: string, password: string, mechanism = "SCRAM-SHA-512"): Promise<void> {
    const candidates: [string, string] = [
      "org.apache.kafka.tools.ConfigCommand",
      "kafka.admin.ConfigCommand",
    ];
    const user = ["--entity-type", "users", "--entity-name", username];
    const change = ["--alter", "--add-config", `${mechanism}=[password=${password}]`];
    await this.#succeed(candidates, ["--bootstrap-server", this.#brokers, ...user, ...change]);
  }

  /** Run `kafka-topics`. @returns what it printed */
  async topics(args: readonly string[]): Promise<string> {
    const candidates: [string, string] = ["org.apache.kafka.tools.TopicCommand", "kafka.admin.TopicCommand"];
    const result = await this.#succeed(candidates, ["--bootstrap-server", this.#brokers, ...args]);
    return new TextDecoder().decode(result.stdout);
  }

  /** Run `kafka-leader-election` for all partitions: each is led by the first of its replicas again. */
  async electPreferredLeaders(): Promise<void> {
    const candidates: [string, string] = [
      "org.apache.kafka.tools.LeaderElectionCommand",
      "kafka.admin.LeaderElectionCommand",
    ];
    const what = ["--election-type", "preferred", "--all-topic-partitions"];
    await this.#succeed(candidates, ["--bootstrap-server", this.#brokers, ...what]);
  }

  /** What `kafka-dump-log` says about segment files: batches, producer ids, sequences, codecs. */
  async dumpLog(files: readonly string[], args: readonly string[] = []): Promise<string> {
    const candidates: [string, string] = [
      "org.apache.kafka.tools.DumpLogSegments",
      "kafka.tools.DumpLogSegments",
    ];
    const result = await this.#succeed(candidates, ["--files", files.join(","), ...args]);
    return new TextDecoder().decode(result.stdout);
  }

  async #succeed(
    candidates: readonly [string, string],
    args: readonly string[],
    options: CommandOptions = {},
  ): Promise<CommandResult> {
    const mainClass = await findClass(await kafkaJars(this.#version), candidates);
    const result = await this.run(mainClass, args, options);
    if (result.code === 0) return result;
    throw new Error(`Cannot run ${mainClass}: exit code ${result.code}\n${lastLines(result.stderr)}`);
  }
}

function pairs(flag: string, properties: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(properties).flatMap(([name, value]) => [flag, `${name}=${value}`]);
}
