/**
 * The errors of the protocol, by Kafka's own list of them.
 *
 * @module
 */

import { join } from "node:path";
import { lastLines } from "./command.ts";
import { KAFKA_VERSION } from "./kafka_jars.ts";
import { KafkaTools } from "./kafka_tools.ts";
import { ROOT } from "./repository.ts";
import { requireTool } from "./required_tool.ts";

/** An error of the protocol. */
export interface KafkaError {
  readonly code: number;
  readonly name: string;
  /** Whether Kafka's clients repeat the request. */
  readonly retriable: boolean;
  /** Whether they ask for metadata first. */
  readonly staleMetadata: boolean;
}

/** Every error that Kafka's newest release knows. @throws Error when its jars cannot be asked */
export async function kafkaErrors(): Promise<readonly KafkaError[]> {
  await requireTool("javac");
  const source = join(ROOT, "tests/support/KafkaErrors.java");
  const { code, stderr, stdout } = await new KafkaTools(KAFKA_VERSION, "").run(source, []);
  if (code !== 0) throw new Error(`Cannot run KafkaErrors.java: exit code ${code}\n${lastLines(stderr)}`);
  return new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => {
    const [code, name, retriable, stale] = line.split(" ");
    return {
      code: Number(code),
      name: name!,
      retriable: retriable === "true",
      staleMetadata: stale === "true",
    };
  });
}
