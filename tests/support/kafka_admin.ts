/**
 * Topics and offsets through `npm:kafkajs`, a client independent of the one under test.
 *
 * @module
 */

import { type Admin, Kafka, logLevel } from "kafkajs";
import { waitUntil } from "./wait.ts";

/** The offsets that a partition holds: `low` is the first one, `high` the next to be written. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** A client that stays silent, for one short task. */
export function quietClient(brokers: string): Kafka {
  return new Kafka({
    clientId: "pg-tide-tests",
    brokers: brokers.split(","),
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 8 },
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
    await admin.createTopics({ topics, waitForLeaders: false });
    // kafkajs waits for leaders too, but takes a topic that the broker has not heard of yet for an error, and believes a leader
    // that does not know its office yet.
    await waitUntil(() => isServed(admin, topic), { what: `the leaders of topic ${topic}` });
  });
}

/** Errors of a topic that is being created. */
const NOT_YET: readonly unknown[] = [
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_FOR_PARTITION",
  "UNKNOWN_TOPIC_OR_PARTITION",
];

async function isServed(admin: Admin, topic: string): Promise<boolean> {
  try {
    await admin.fetchTopicOffsets(topic);
    return true;
  } catch (error) {
    if (NOT_YET.includes((error as { type?: unknown }).type)) return false;
    throw error;
  }
}

/** Delete a topic; the broker forgets it a moment later. */
export async function deleteTopic(brokers: string, topic: string): Promise<void> {
  await administer(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
}

/** The offsets of every partition of a topic, by partition. */
export async function topicOffsets(brokers: string, topic: string): Promise<readonly PartitionOffsets[]> {
  const offsets = await administer(brokers, (admin) => admin.fetchTopicOffsets(topic));
  return offsets
    .map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
    .toSorted((one, other) => one.partition - other.partition);
}

async function administer<Result>(brokers: string, task: (admin: Admin) => Promise<Result>): Promise<Result> {
  const admin = quietClient(brokers).admin();
  try {
    await admin.connect();
    return await task(admin);
  } finally {
    await admin.disconnect();
  }
}
