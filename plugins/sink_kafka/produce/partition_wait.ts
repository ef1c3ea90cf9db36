/**
 * Decides how long a page waits whose records name partitions that their topic is not known to have.
 *
 * The topic may have got them since: whoever adds partitions uses them at once, and a broker hears of them a moment later. So the
 * cluster is asked again until it has answered a question of that moment's end. Only then is a partition missing, and its records are
 * rejected. Whoever gives one such record may give one in every page, and their pipeline must not crawl: for a while, an answer
 * that is not older than that moment is then believed at once.
 *
 * @module
 */

import type { RecordPage } from "@pg-tide/sdk";
import type { Topic } from "../cluster/cluster_port.ts";

/** How long a partition is waited for that a topic does not have, in milliseconds. */
export const PARTITION_WAIT_MS = 1_000;

/** How long nothing more is waited for after that was in vain. */
const DISAPPOINTED_MS = 60_000;

/** When somebody asks. */
export interface WaitTimes {
  readonly nowMs: number;
  /** Since when the page has been waiting. */
  readonly sinceMs: number;
  /** As `ClusterPort.asOfMs`. */
  readonly asOfMs: number;
}

/** The wait for partitions that may have been added. */
export class PartitionWait {
  #vainMs = -Infinity;

  /**
   * The topics that a page waits for, because a record names a partition that they may have got since.
   *
   * @param known what is known about each topic of the page that a record goes to
   */
  topics(page: RecordPage, known: readonly (Topic | undefined)[], times: WaitTimes): readonly string[] {
    const short = tooShort(page, known);
    if (short.length === 0) return short;
    const { nowMs, sinceMs, asOfMs } = times;
    const disappointed = nowMs - this.#vainMs < DISAPPOINTED_MS;
    if (asOfMs < sinceMs + (disappointed ? -PARTITION_WAIT_MS : PARTITION_WAIT_MS)) return short;
    this.#vainMs = nowMs;
    return [];
  }
}

/** The topics of a page that have not all the partitions that its records name. */
function tooShort(page: RecordPage, known: readonly (Topic | undefined)[]): string[] {
  const { count, partition, topic, topics } = page;
  if (partition === undefined) return [];
  const short = new Uint8Array(topics.length);
  for (let i = 0; i < count; i++) {
    const at = topic[i]!;
    if (partition[i]! >= known[at]!.leaders.length) short[at] = 1;
  }
  return topics.filter((_, at) => short[at] === 1);
}
