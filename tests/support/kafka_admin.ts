/**
 * Topics and offsets through `npm:kafkajs`, a client independent of the one under test.
 *
 * @module
 */

import { type Admin, ConfigResourceTypes, Kafka, logLevel } from "kafkajs";
import { waitUntil } from "./wait.ts";

/** The offsets that a partition holds: `low` is the first one, `high` the next to be written. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** A client that stays silent, for one short task. @param retries how often it tries something again by itself */
export function quietClient(brokers: string, retries = 8): Kafka {
  return new Kafka({
    clientId: "pg-tide-tests",
    brokers: brokers.split(","),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries },
  });
}

/** Create a topic and wait until its partitions have leaders. */
export async function createTopic(
  brokers: string,
  topic: string,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await administer(brokers, async (admin) => {
    const topics = [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }];
    // A broker with a ZooKeeper serves before it has heard of the controller, which may be itself.
    const made = () =>
      unless(admin.createTopics({ topics, waitForLeaders: false }), ["KafkaJSBrokerNotFound"]);
    await waitUntil(made, { what: `the controller to create topic ${topic}` });
    // kafkajs waits for leaders too, but takes a topic that the broker has not heard of yet for an error, and believes a leader
    // that does not know its office yet.
    const served = () => unless(admin.fetchTopicOffsets(topic), [...ELECTION, "UNKNOWN_TOPIC_OR_PARTITION"]);
    await waitUntil(served, { what: `the leaders of topic ${topic}` });
  });
}

/** Errors of partitions that are being created. */
const ELECTION: readonly string[] = ["LEADER_NOT_AVAILABLE", "NOT_LEADER_FOR_PARTITION"];

/** The answer, or undefined when it is one of these errors. */
async function unless<Answer>(
  answer: Promise<Answer>,
  errors: readonly string[],
): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (errors.includes(typeOf(error))) return undefined;
    throw error;
  }
}

/** Add partitions to a topic, so that it has `count`, and wait until they have leaders. */
export async function addPartitions(brokers: string, topic: string, count: number): Promise<void> {
  await administer(brokers, async (admin) => {
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    const served = async () => (await unless(admin.fetchTopicOffsets(topic), ELECTION))?.length === count;
    await waitUntil(served, { what: `the leaders of ${count} partitions of topic ${topic}` });
  });
}

/** Set the configuration of a topic, in place of all that was set. */
export async function configureTopic(
  brokers: string,
  topic: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await administer(brokers, (admin) => admin.alterConfigs({ resources, validateOnly: false }));
}

/**
 * The protocol's name of an error, which kafkajs hides when it has tried again; for the loss of a connection its own name.
 *
 * @throws the error when it is not one of kafkajs
 */
export function typeOf(error: unknown): string {
  const { type, cause, name } = error as Readonly<Record<"type" | "cause" | "name", unknown>>;
  if (typeof type === "string") return type;
  if (cause instanceof Error) return typeOf(cause);
  if (typeof name === "string" && name.startsWith("KafkaJS")) return name;
  throw error;
}

/** Delete a topic; the broker forgets it a moment later. */
export async function deleteTopic(brokers: string, topic: string): Promise<void> {
  await administer(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
}

/** The offsets of every partition of a topic, by partition. */
export async function topicOffsets(brokers: string, topic: string): Promise<readonly PartitionOffsets[]> {
  const what = `the leaders of topic ${topic}`;
  const offsets = await administer(
    brokers,
    (admin) => waitUntil(() => unless(admin.fetchTopicOffsets(topic), ELECTION), { what }),
  );
  return offsets
    .map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
    .toSorted((one, other) => one.partition - other.partition);
}

/** Do something as an administrator. @param retries as for {@link quietClient} */
export async function administer<Result>(
  brokers: string,
  task: (admin: Admin) => Promise<Result>,
  retries?: number,
): Promise<Result> {
  const admin = quietClient(brokers, retries).admin();
  try {
    await admin.connect();
    return await task(admin);
  } finally {
    await admin.disconnect();
  }
}
