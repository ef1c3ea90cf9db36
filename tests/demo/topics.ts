/**
 * Where in Kafka the demo writes: a broker of its own, or topics of its own in a given Kafka.
 *
 * @module
 */

import { readTopic, type TopicRecord } from "../support/consume.ts";
import { startKafka } from "../support/kafka.ts";
import { createTopic, deleteTopic, quietClient, topicOffsets } from "../support/kafka_admin.ts";
import { DemoError } from "./failure.ts";

/** Topics, gone when disposed. */
export interface DemoTopics extends AsyncDisposable {
  readonly brokers: string;
  readonly description: string;
  /** Create a topic. @returns its name, which is `name` where nobody else's topics are */
  create(name: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<string>;
  /** How many records a topic of the demo holds. */
  count(topic: string): Promise<number>;
  /** All records of a topic of the demo, read by a client that pg-tide does not use. */
  read(topic: string): Promise<readonly TopicRecord[]>;
}

/** Start a broker of the demo's own. @param signal ends the start, which takes a few seconds */
export async function ownTopics(signal: AbortSignal): Promise<DemoTopics> {
  const kafka = await startKafka({ signal });
  const description = `Apache Kafka ${kafka.version} at ${kafka.brokers}`;
  return new Topics(kafka.brokers, description, "", () => kafka.stop());
}

/**
 * Use a given Kafka.
 *
 * @param prefix of every topic that is made; nobody else's
 * @throws DemoError when it cannot be reached
 */
export async function givenTopics(brokers: string, prefix: string): Promise<DemoTopics> {
  const admin = quietClient(brokers).admin({ retry: { retries: 3, initialRetryTime: 200 } });
  try {
    await admin.connect();
    await admin.describeCluster();
  } catch (error) {
    throw new DemoError(
      `Cannot reach Kafka at ${brokers}: ${error instanceof Error ? error.message : error}`,
      "Check host and port, that the broker runs, and that this listener takes plain connections, without TLS and SASL.",
      3,
    );
  } finally {
    await admin.disconnect();
  }
  return new Topics(brokers, `topics ${prefix}… of Kafka at ${brokers}`, prefix, () => Promise.resolve());
}

class Topics implements DemoTopics {
  readonly brokers: string;
  readonly description: string;
  readonly #prefix: string;
  readonly #stop: () => Promise<void>;
  readonly #created: string[] = [];

  constructor(brokers: string, description: string, prefix: string, stop: () => Promise<void>) {
    this.brokers = brokers;
    this.description = description;
    this.#prefix = prefix;
    this.#stop = stop;
  }

  async create(
    name: string,
    partitions: number,
    config: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const topic = this.#prefix + name;
    // There is one replica, whatever the brokers would ask for by default.
    await createTopic(this.brokers, topic, partitions, { "min.insync.replicas": "1", ...config });
    this.#created.push(topic);
    return topic;
  }

  async count(topic: string): Promise<number> {
    return (await topicOffsets(this.brokers, topic)).reduce(
      (sum, { low, high }) => sum + Number(high - low),
      0,
    );
  }

  async read(topic: string): Promise<readonly TopicRecord[]> {
    const groupId = `${topic}-${crypto.randomUUID()}`;
    const records = await readTopic(this.brokers, topic, groupId);
    if (this.#prefix !== "" && records.length > 0) await deleteGroup(this.brokers, groupId);
    return records;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#prefix !== "") {
      for (const topic of this.#created.splice(0)) await deleteTopic(this.brokers, topic);
    }
    await this.#stop();
  }
}

async function deleteGroup(brokers: string, groupId: string): Promise<void> {
  const admin = quietClient(brokers).admin();
  try {
    await admin.connect();
    await admin.deleteGroups([groupId]);
  } finally {
    await admin.disconnect();
  }
}
