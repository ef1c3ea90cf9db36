/**
 * What Kafka's own `DumpLogSegments --deep-iteration` says about a partition, read.
 *
 * @module
 */

import type { SharedKafka } from "./kafka.ts";

/** A batch as it stands in the log. */
export interface DumpedBatch {
  readonly baseOffset: number;
  readonly count: number;
  /** -1 when the producer is not idempotent; so is the sequence. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly codec: string;
  readonly magic: number;
  /** Whether size and CRC are right. */
  readonly isValid: boolean;
  readonly records: readonly DumpedRecord[];
}

/** A record of a batch, after decompression. */
export interface DumpedRecord {
  readonly offset: number;
  readonly timestamp: number;
  /** Bytes, or -1 for null. */
  readonly keySize: number;
  readonly valueSize: number;
  readonly sequence: number;
  readonly headerKeys: readonly string[];
}

/** Read a partition's log as it stands on the broker's disk. */
export async function dumpBatches(
  kafka: SharedKafka,
  topic: string,
  partition = 0,
): Promise<readonly DumpedBatch[]> {
  const dump = await kafka.dumpLog(topic, partition, ["--deep-iteration"]);
  const batches: (DumpedBatch & { readonly records: DumpedRecord[] })[] = [];
  for (const line of dump.split("\n")) {
    if (line.startsWith("baseOffset: ")) batches.push({ ...batchOf(fieldsOf(line)), records: [] });
    else if (line.startsWith("| ")) batches.at(-1)!.records.push(recordOf(line));
  }
  return batches;
}

function batchOf(fields: ReadonlyMap<string, string>): Omit<DumpedBatch, "records"> {
  const number = (name: string) => numberIn(fields, name);
  return {
    baseOffset: number("baseoffset"),
    count: number("count"),
    producerId: number("producerid"),
    producerEpoch: number("producerepoch"),
    baseSequence: number("basesequence"),
    lastSequence: number("lastsequence"),
    codec: fields.get("compresscodec")!.toLowerCase(),
    magic: number("magic"),
    isValid: fields.get("isvalid") === "true",
  };
}

function recordOf(line: string): DumpedRecord {
  const [numbers, keys] = line.slice(2).split(" headerKeys: ");
  const fields = fieldsOf(numbers!);
  return {
    offset: numberIn(fields, "offset"),
    timestamp: numberIn(fields, "createtime"),
    keySize: numberIn(fields, "keysize"),
    valueSize: numberIn(fields, "valuesize"),
    sequence: numberIn(fields, "sequence"),
    headerKeys: keys === undefined || keys === "[]" ? [] : keys.slice(1, -1).split(","),
  };
}

/** `name: value` pairs. Releases differ in the names' capital letters. */
function fieldsOf(line: string): ReadonlyMap<string, string> {
  return new Map([...line.matchAll(/(\w+): (\S+)/g)].map(([, name, value]) => [name!.toLowerCase(), value!]));
}

function numberIn(fields: ReadonlyMap<string, string>, name: string): number {
  const value = fields.get(name);
  if (value === undefined) throw new Error(`Cannot read the dump of a log: it has no "${name}"`);
  return Number(value);
}
