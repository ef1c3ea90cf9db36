/**
 * The native format: the value of a record is the payload, byte for byte.
 *
 * @module
 */

import type { MessagePage, RecordPage } from "@pg-tide/sdk";

/** The records of a page of messages, one each; shares all columns with it. */
export function nativeRecords(page: MessagePage): RecordPage {
  return {
    count: page.count,
    ids: page.ids,
    createdMs: page.createdMs,
    topics: page.topics,
    topic: page.topic,
    ...(page.partition === undefined ? {} : { partition: page.partition }),
    key: page.key,
    value: page.payload,
    headers: page.headers,
  };
}
