/**
 * Delivers numbered records to a real broker through a {@link FaultProxy}, as the relay does, and checks what the topics hold then.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Json } from "../../plugins/sdk/mod.ts";
import { chanceOf, oneOf } from "./chance.ts";
import { readTopic } from "./consume.ts";
import { type FaultKind, type FaultMix, NO_FAULTS } from "./fault_schedule.ts";
import { FaultProxy } from "./fault_proxy.ts";
import type { SharedKafka } from "./kafka.ts";
import { Delivery, openInProcess, type RecordDraft, type TestSink } from "./kafka_sink.ts";
import { METADATA_KEY } from "./metadata_wire.ts";
import { NumberedRecords } from "./numbered.ts";
import { PRODUCE_KEY } from "./produce_wire.ts";
import { waitUntil } from "./wait.ts";

/** What is run. */
export interface FaultRun {
  readonly seed: number;
  readonly idempotent: boolean;
  /** How many records. */
  readonly count: number;
  /** @default what the seed says */
  readonly mix?: FaultMix;
  /** Whether each record has to stand there exactly once. @default if it is idempotent and no record was given again */
  readonly exact?: boolean;
  /** Fields of the sink's configuration about which the seed has no say. */
  readonly fields?: Readonly<Record<string, Json>>;
  /** How the sink is opened. @default in this process */
  readonly open?: (fields: Readonly<Record<string, Json>>) => Promise<TestSink>;
}

/** What came of it. */
export interface FaultRunResult {
  /** How many batches the sink has sent again. */
  readonly retries: number;
  /** How many records stand in a topic more than once. */
  readonly repeated: number;
  /** Whether each had to stand there exactly once: the producer is idempotent, and the kernel never gave a record again. */
  readonly exact: boolean;
  /** How often the kernel had to give records again. */
  readonly ended: number;
  /** How often each fault happened. */
  readonly faults: ReadonlyMap<FaultKind, number>;
}

/** How long all of it may take. */
const WITHIN_MS = 180_000;

/** So many faults are enough for one run, and more would take long. */
const FAULTS_MAX = 150;

/** How soon the kernel tries again after a fault that a person must mend, in milliseconds. */
const MEND_MS = 100;

interface Load {
  readonly topic: string;
  readonly records: NumberedRecords;
}

/**
 * Run and check.
 *
 * @throws Error that names the seed and shows what was done, when a record is missing, out of order, or more than once where that may not be
 */
export async function runThroughFaults(kafka: SharedKafka, run: FaultRun): Promise<FaultRunResult> {
  const loads = await createTopics(kafka, run.seed);
  const chance = chanceOf(run.seed, 1);
  const versions = new Map([[PRODUCE_KEY, oneOf(chance, [7, 8, 9])], [
    METADATA_KEY,
    oneOf(chance, [9, 10, 12]),
  ]]);
  const proxy = await FaultProxy.start({ brokers: kafka.brokers, versions, ...run });
  try {
    const fields = fieldsOf(run, proxy);
    const ended = await deliverAll(run, loads, proxy, fields);
    return await check(kafka, run, loads, proxy, ended);
  } catch (error) {
    throw new Error(`Seed ${run.seed}${run.idempotent ? ", idempotent" : ""}:\n${proxy.trace}`, {
      cause: error,
    });
  } finally {
    await proxy[Symbol.asyncDispose]();
    for (const { topic } of loads) await kafka.deleteTopic(topic);
  }
}

async function createTopics(kafka: SharedKafka, seed: number): Promise<readonly Load[]> {
  const chance = chanceOf(seed, 2);
  const loads: Load[] = [];
  for (const letter of ["a", "b"]) {
    const topic = `faults-${letter}-${crypto.randomUUID()}`;
    await kafka.createTopic(topic, 1 + Math.floor(4 * chance()));
    loads.push({ topic, records: new NumberedRecords({ keys: 1 + Math.floor(40 * chance()) }) });
  }
  return loads;
}

/** The sink's configuration in a run. */
function fieldsOf({ fields, idempotent, seed }: FaultRun, proxy: FaultProxy): Readonly<Record<string, Json>> {
  const chance = chanceOf(seed, 3);
  return {
    brokers: proxy.brokers,
    idempotent,
    acks: idempotent ? "all" : oneOf(chance, ["all", "1"]),
    max_in_flight: oneOf(chance, [1, 3, 5, 20]),
    batch_size: 3 + Math.floor(40 * chance()),
    linger_ms: oneOf(chance, [0, 5]),
    compression: oneOf(chance, ["none", "gzip", "zstd"]),
    request_timeout_ms: 400,
    // In some runs so short that the kernel has to give records again.
    delivery_timeout_ms: oneOf(chance, [2_000, 60_000, 60_000]),
    ...fields,
  };
}

/** Deliver all records. @returns how often the kernel had to give some again */
async function deliverAll(
  run: FaultRun,
  loads: readonly Load[],
  proxy: FaultProxy,
  fields: Readonly<Record<string, Json>>,
): Promise<number> {
  await using delivery = new Delivery(await opened(run.open ?? openInProcess, fields));
  // What a person must mend is mended at once.
  const mending = setInterval(() => delivery.poke(), MEND_MS);
  try {
    await offerAll(run, loads, proxy, delivery);
    await delivery.drained();
  } finally {
    clearInterval(mending);
  }
  assert.deepEqual(delivery.letters, []);
  return delivery.states.length;
}

/** Open the sink, as often as it takes. */
async function opened(
  open: (fields: Readonly<Record<string, Json>>) => Promise<TestSink>,
  fields: Readonly<Record<string, Json>>,
): Promise<TestSink> {
  let last: unknown;
  const attempt = () => open(fields).catch((error) => void (last = error));
  try {
    return await waitUntil(attempt, { what: "the sink to open", timeoutMs: WITHIN_MS });
  } catch (error) {
    throw new Error(String(error), { cause: last });
  }
}

/** Give the sink all records, the last fifth of them without any trouble, or more when there was enough of it. */
async function offerAll(
  { count, seed }: FaultRun,
  loads: readonly Load[],
  proxy: FaultProxy,
  delivery: Delivery,
): Promise<void> {
  const chance = chanceOf(seed, 4);
  for (let left = count; left > 0;) {
    if (left < count / 5 || proxy.trace.total > FAULTS_MAX) proxy.mix = NO_FAULTS;
    const next = Math.min(left, 1 + Math.floor(400 * chance()));
    left -= next;
    await delivery.offer(loads[0]!.topic, shuffled(loads, next, chance));
  }
}

/** The next records of all topics, mixed. */
function shuffled(loads: readonly Load[], count: number, chance: () => number): RecordDraft[] {
  return Array.from({ length: count }, () => {
    const { records, topic } = oneOf(chance, loads);
    return { ...records.take(1)[0]!, topic };
  });
}

async function check(
  kafka: SharedKafka,
  run: FaultRun,
  loads: readonly Load[],
  { errors, retries, trace }: FaultProxy,
  ended: number,
): Promise<FaultRunResult> {
  assert.deepEqual(errors, []);
  const exact = run.exact ?? (run.idempotent && ended === 0);
  let repeated = 0;
  for (const { records, topic } of loads) {
    const read = await readTopic(kafka.brokers, topic);
    if (exact) records.assertExactlyOnce(read);
    else repeated += records.assertInOrder(read);
  }
  return { retries, repeated, exact, ended, faults: trace.counts };
}
