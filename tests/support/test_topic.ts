/**
 * Topics that end with their test.
 *
 * @module
 */

import type { SharedKafka } from "./kafka.ts";

/** A topic of a test. */
export interface TestTopic extends AsyncDisposable {
  readonly name: string;
  /** How many records it holds. */
  count(): Promise<number>;
}

/** Create a topic with a name that no other test has. @param config such as `{ "max.message.bytes": "2000" }` */
export async function testTopic(
  kafka: SharedKafka,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<TestTopic> {
  const name = `test-${crypto.randomUUID()}`;
  await kafka.createTopic(name, partitions, config);
  return {
    name,
    count: async () => {
      const offsets = await kafka.offsets(name);
      return Number(offsets.reduce((sum, { low, high }) => sum + high - low, 0n));
    },
    [Symbol.asyncDispose]: () => kafka.deleteTopic(name),
  };
}
