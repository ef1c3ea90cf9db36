/**
 * Reads and writes a topic with `kcat`, which is librdkafka: the client of every language that is neither Java nor JavaScript.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { runCommand } from "./command.ts";
import { requireTool } from "./required_tool.ts";

/** A record as kcat prints it. */
export interface KcatRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** `name=value,…` in the order of the record; a value of null is `NULL`. */
  readonly headers: string;
}

/** Numbers, a bar, key and value in as many bytes as were said, a bar, headers to the end of the line. */
const FORMAT = "%p %o %T %K %S|%k%s|%h\\n";
const HEAD_REGEXP = /^(\d+) (\d+) (-?\d+) (-?\d+) (-?\d+)$/;

const WITHIN_MS = 60_000;

/**
 * Every record that a topic holds, by partition and offset.
 *
 * @throws Error when kcat has anything to complain of
 */
export async function readTopicByKcat(brokers: string, topic: string): Promise<readonly KcatRecord[]> {
  await requireTool("kcat");
  const args = ["-C", "-b", brokers, "-t", topic, "-o", "beginning", "-e", "-q", "-f", FORMAT];
  const { code, signal, stderr, stdout } = await runCommand("kcat", args, {
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  if (code !== 0 || stderr !== "") {
    throw new Error(`kcat cannot read the topic: ${signal ?? `exit code ${code}`}\n${stderr}`);
  }
  return parsePrinted(Buffer.from(stdout)).toSorted((one, other) =>
    one.partition - other.partition || Number(one.offset - other.offset)
  );
}

/**
 * Write records with librdkafka's producer.
 *
 * @param lines a key, a tab, a value and a newline for each
 * @param properties of librdkafka, such as `{ "partitioner": "consistent_random" }`
 */
export async function produceByKcat(
  brokers: string,
  topic: string,
  lines: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<void> {
  await requireTool("kcat");
  const settings = Object.entries(properties).flatMap(([name, value]) => ["-X", `${name}=${value}`]);
  const args = ["-P", "-b", brokers, "-t", topic, "-K", "\t", ...settings];
  const { code, signal, stderr } = await runCommand("kcat", args, {
    input: lines,
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  if (code !== 0) {
    throw new Error(`kcat cannot write to the topic: ${signal ?? `exit code ${code}`}\n${stderr}`);
  }
}

function parsePrinted(printed: Buffer): KcatRecord[] {
  const records: KcatRecord[] = [];
  for (let at = 0; at < printed.length;) {
    const keyAt = printed.indexOf("|", at) + 1;
    const head = HEAD_REGEXP.exec(printed.subarray(at, keyAt - 1).toString());
    if (head === null) throw new Error(`Cannot read what kcat printed at byte ${at}`);
    const [partition, offset, timestamp, keyLength, valueLength] = head.slice(1).map(Number);
    const valueAt = keyAt + Math.max(0, keyLength!);
    const headersAt = valueAt + Math.max(0, valueLength!) + 1;
    const end = printed.indexOf("\n", headersAt);
    records.push({
      partition: partition!,
      offset: BigInt(offset!),
      timestamp: timestamp!,
      key: keyLength! < 0 ? null : Uint8Array.from(printed.subarray(keyAt, valueAt)),
      value: valueLength! < 0 ? null : Uint8Array.from(printed.subarray(valueAt, headersAt - 1)),
      headers: printed.subarray(headersAt, end).toString(),
    });
    at = end + 1;
  }
  return records;
}
