/**
 * The storage of KRaft nodes, as it must be before their first start.
 *
 * @module
 */

import { lastLines } from "./command.ts";
import type { KafkaTools } from "./kafka_tools.ts";

/** Format the storage that a file of properties describes. @param args such as the users that it knows from the start */
export async function formatStorage(
  tools: KafkaTools,
  cluster: string,
  propertiesFile: string,
  args: readonly string[] = [],
): Promise<void> {
  const formatter = ["format", "-t", cluster, "-c", propertiesFile, ...args];
  const result = await tools.run("kafka.tools.StorageTool", formatter);
  if (result.code === 0) return;
  const output = `${new TextDecoder().decode(result.stdout)}\n${result.stderr}`;
  throw new Error(`Cannot format Kafka's storage: exit code ${result.code}\n${lastLines(output)}`);
}

/** A new name for a cluster, in Kafka's own form of a UUID: 16 bytes in URL-safe base64. */
export function clusterId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // A first "-" would look like a flag to the formatter.
  bytes[0] = 1;
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
