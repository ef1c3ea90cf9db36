/**
 * What a cluster's answer says about a topic. Pure.
 *
 * @module
 */

import type { Metadata, TopicMetadata } from "./broker_connection.ts";
import type { Topic } from "./cluster_port.ts";

/** @param rack the rack whose brokers are preferred, if there is one */
export function learnTopic(
  { errorCode, partitions }: TopicMetadata,
  brokers: Metadata["brokers"],
  rack: string | undefined,
): Topic {
  const leaders: number[] = new Array(partitions.length).fill(-1);
  for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
  const near = brokers.filter((broker) => rack !== undefined && broker.rack === rack);
  const preferred = [near, brokers]
    .map((some) => new Set(some.map(({ nodeId }) => nodeId)))
    .map((nodes) => leaders.flatMap((leader, partition) => nodes.has(leader) ? [partition] : []))
    .find((led) => led.length > 0);
  return preferred === undefined || preferred.length === leaders.length
    ? { errorCode, leaders }
    : { errorCode, leaders, preferred };
}
