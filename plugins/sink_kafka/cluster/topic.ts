/**
 * What a cluster's answer says about a topic. Pure.
 *
 * @module
 */

import type { Metadata, TopicMetadata } from "./broker_connection.ts";
import type { Topic } from "./cluster_port.ts";

/** The id of a topic that has none, in the cluster's words. */
const NO_ID = "00000000-0000-0000-0000-000000000000";

/**
 * @param rack the rack whose brokers are preferred, if there is one
 * @param before what was known of the topic
 */
export function learnTopic(
  { errorCode, topicId, partitions }: TopicMetadata,
  brokers: Metadata["brokers"],
  rack: string | undefined,
  before?: Topic,
): Topic {
  const id = topicId === NO_ID ? undefined : topicId;
  // A topic never loses partitions: who names fewer of them has not heard of its growth yet.
  const heldBefore = id !== undefined && id === before?.id ? before.leaders.length : 0;
  const leaders: number[] = new Array(Math.max(partitions.length, heldBefore)).fill(-1);
  for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
  const near = brokers.filter((broker) => rack !== undefined && broker.rack === rack);
  const preferred = [near, brokers]
    .map((some) => new Set(some.map(({ nodeId }) => nodeId)))
    .map((nodes) => leaders.flatMap((leader, partition) => nodes.has(leader) ? [partition] : []))
    .find((led) => led.length > 0);
  return {
    errorCode,
    leaders,
    ...(id === undefined ? {} : { id }),
    ...(preferred === undefined || preferred.length === leaders.length ? {} : { preferred }),
  };
}
