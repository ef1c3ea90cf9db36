/**
 * Records that name a partition which there is none of.
 *
 * @module
 */

/** The code of their rejection. */
export const UNKNOWN_PARTITION = "UNKNOWN_PARTITION";

/** Why one is rejected. @param count number of partitions of the topic, at least 1 */
export function unknownPartition(topic: string, partition: number, count: number): string {
  return `Topic "${topic}" has no partition ${partition}: it has ${count}, from 0 to ${
    count - 1
  }. Correct what the pipeline's ` +
    "partition gives, or add partitions to the topic";
}
