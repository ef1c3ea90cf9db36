/**
 * The partitions that Kafka's own producer chooses for 10,000 keys, kept in murmur2.txt.
 *
 * `deno run -A tests/support/golden/murmur2_golden.ts` writes the file anew, from what Murmur2Golden.java prints with Kafka's jars.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { lastLines } from "../command.ts";
import { KAFKA_VERSION } from "../kafka_jars.ts";
import { KafkaTools } from "../kafka_tools.ts";
import { ROOT } from "../repository.ts";
import { requireTool } from "../required_tool.ts";

const FOLDER = join(ROOT, "tests/support/golden");
const FILE = join(FOLDER, "murmur2.txt");

/** A key, and its partition in topics of different sizes. */
export interface GoldenKey {
  readonly key: Uint8Array;
  /** By number of partitions. */
  readonly partitions: ReadonlyMap<number, number>;
}

/** What the file holds. */
export function readGolden(): Promise<string> {
  return Deno.readTextFile(FILE);
}

/** What the file must hold, by the code of Kafka's newest release. @throws Error when it does not run */
export async function generateGolden(): Promise<string> {
  await requireTool("javac");
  const source = join(FOLDER, "Murmur2Golden.java");
  const { code, stderr, stdout } = await new KafkaTools(KAFKA_VERSION, "").run(source, []);
  if (code === 0) return new TextDecoder().decode(stdout);
  throw new Error(`Cannot run Murmur2Golden.java: exit code ${code}\n${lastLines(stderr)}`);
}

/** The keys of the file's text. */
export function parseGolden(text: string): readonly GoldenKey[] {
  const [head, ...lines] = text.trimEnd().split("\n").map((line) => line.split(" "));
  const counts = head!.slice(1).map(Number);
  return lines.map(([key, ...partitions]) => ({
    key: Buffer.from(key!, "base64url"),
    partitions: new Map(counts.map((count, i) => [count, Number(partitions[i])])),
  }));
}

if (import.meta.main) {
  await Deno.writeTextFile(FILE, await generateGolden());
  console.log("murmur2.txt is written");
}
