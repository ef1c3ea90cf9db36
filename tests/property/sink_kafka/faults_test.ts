/**
 * The whole sink over a cluster in memory, on a virtual clock, with faults by chance: what must stand in the partitions at the end.
 */

import assert from "node:assert/strict";
import type { Clock } from "../../../plugins/sink_kafka/clock.ts";
import { parseOptions } from "../../../plugins/sink_kafka/config/options.ts";
import type { ProduceAnswer, TopicBatches } from "../../../plugins/sink_kafka/cluster/produce_api.ts";
import { classify } from "../../../plugins/sink_kafka/fault/classify.ts";
import { CODECS } from "../../../plugins/sink_kafka/record/compression.ts";
import { KafkaSink } from "../../../plugins/sink_kafka/sink.ts";
import { type ClusterFaults, FakeCluster } from "../../support/fake_cluster.ts";
import { POISONS } from "../../support/fake_partition.ts";
import { Delivery, kafkaConfig, type RecordDraft } from "../../support/kafka_sink.ts";
import { NumberedRecords, type WrittenRecord } from "../../support/numbered.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const SEEDS = Deno.env.get("TIDE_TEST_TIER") === "full" ? 2_000 : 150;
const TOPIC = "t";
const CALM: ClusterFaults = {
  errors: 0,
  cuts: 0,
  hangs: 0,
  moves: 0,
  forgets: 0,
  expires: 0,
  unreachable: 0,
};

/** The sink's clock over a virtual one. */
function clockOver(virtual: VirtualClock): Clock {
  return {
    monotonicMs: () => virtual.monotonic(),
    wallMs: () => virtual.now(),
    random: () => virtual.random(),
    after(ms, call) {
      const off = new AbortController();
      virtual.sleep(ms, off.signal).then(() => off.signal.aborted || call());
      return () => off.abort();
    },
  };
}

/** Some kinds of faults, each switched off in half of the runs. */
function someFaults(clock: VirtualClock): ClusterFaults {
  const often = (most: number) => clock.random() < 0.5 ? 0 : most * clock.random();
  const [cuts, hangs, forgets] = [often(0.15), often(0.02), often(0.3)];
  return {
    errors: often(0.2),
    cuts,
    hangs,
    moves: often(0.1),
    // A request that arrives late, after its broker has lost and won back the lead and forgotten the producer in between, is
    // beyond what numbers can guard.
    forgets: cuts + hangs > 0 ? 0 : forgets,
    expires: often(0.05),
    unreachable: often(0.5),
  };
}

/** Records that name their partition: one that their key has for good, a new one, or one that there never is. */
class Naming {
  /** Partitions of the topic at the start. */
  readonly #before: number;
  #late = 0;
  nowhere = 0;

  constructor({ partitions }: FakeCluster) {
    this.#before = partitions.length;
  }

  /** Records with their partitions, and some others put behind them. @param grown whether the topic has one more by now */
  name(drafts: readonly RecordDraft[], grown: boolean, clock: VirtualClock): RecordDraft[] {
    const named = drafts.map((draft) => ({ ...draft, partition: this.#partitionOf(draft.key as string) }));
    const others: RecordDraft[] = [];
    if (grown) others.push({ key: "late", value: `${this.#late++}`, partition: this.#before });
    if (clock.random() < 0.1) others.push({ key: "nowhere", value: "x", partition: 1_000 + this.nowhere++ });
    return [...named, ...others];
  }

  check(written: readonly WrittenRecord[]): void {
    const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes!);
    const late = written.filter(({ key }) => text(key) === "late");
    const numbers = new Set(late.map(({ value }) => Number(text(value))));
    assert.deepEqual(
      [...numbers],
      Array.from({ length: this.#late }, (_, n) => n),
      "the new partition's records",
    );
    for (const { key, partition } of written) {
      const wanted = text(key) === "late" ? this.#before : this.#partitionOf(text(key));
      assert.equal(partition, wanted, `the partition of ${text(key)}`);
    }
  }

  #partitionOf(key: string): number {
    return parseInt(key.slice(key.indexOf("-") + 1)) % this.#before;
  }
}

interface Run {
  readonly delivery: Delivery;
  readonly cluster: FakeCluster;
  readonly records: NumberedRecords;
  readonly faults: ClusterFaults;
  /** The codes of the records that were given and that no broker takes. */
  readonly poisoned: readonly string[];
  /** In some runs records name their partition. */
  readonly naming: Naming | undefined;
}

function anyOf(choices: readonly string[], clock: VirtualClock): string {
  return choices[Math.floor(clock.random() * choices.length)]!;
}

/** A sink with options by chance, fed by the relay's dispatcher. */
async function deliveryOver(fake: FakeCluster, clock: VirtualClock, idempotent: boolean): Promise<Delivery> {
  const config = kafkaConfig({
    brokers: "fake:1",
    idempotent,
    batch_size: 1 + Math.floor(clock.random() * 30),
    compression: anyOf(Object.keys(CODECS), clock),
    linger_ms: clock.random() < 0.5 ? 0 : 5,
    request_timeout_ms: 2_000,
    delivery_timeout_ms: 20_000,
  });
  const options = parseOptions(config.fields);
  const producer = idempotent ? await clock.run(fake.initProducerId()) : undefined;
  const sink = new KafkaSink({ options, cluster: fake, racks: new Set(), producer, clock: clockOver(clock) });
  return new Delivery({
    pagesInFlight: 4,
    deliver: (page, generation) => sink.deliver(page, generation),
    recover: () => Promise.resolve(null),
    close: () => sink.close(),
  }, clock);
}

/** Deliver some hundreds of records through trouble, and then without until all are through. */
async function run(seed: number, idempotent: boolean, cluster?: typeof FakeCluster): Promise<Run> {
  const clock = new VirtualClock(seed);
  const fake = new (cluster ?? FakeCluster)(clock, TOPIC, 1 + Math.floor(clock.random() * 5), CALM);
  const delivery = await deliveryOver(fake, clock, idempotent);
  const records = new NumberedRecords({ keys: 1 + Math.floor(clock.random() * 12), fill: 1 });
  const faults = someFaults(clock);
  const naming = clock.random() < 0.3 ? new Naming(fake) : undefined;
  const poisoned: string[] = [];
  fake.faults = faults;
  const outage = async () => {
    if (clock.random() < 0.6) return;
    await clock.sleep(300 * clock.random());
    fake.faults = { ...faults, cuts: 1, unreachable: 1 };
    await clock.sleep(60_000 * clock.random() ** 2);
    fake.faults = faults;
  };
  const work = async () => {
    const over = outage();
    for (let page = 0; page < 12; page++) {
      if (page === 6 && naming !== undefined) {
        fake.grow();
        // A sink that was disappointed believes an answer of the last second.
        await clock.sleep(1_500);
      }
      if (page === 9) {
        await over;
        fake.faults = CALM;
      }
      const drafts = records.take(1 + Math.floor(clock.random() * 60));
      while (clock.random() < 0.2) {
        const kind = anyOf(Object.keys(POISONS), clock);
        drafts.splice(Math.floor(clock.random() * (drafts.length + 1)), 0, { key: `${kind}-0`, value: "x" });
        poisoned.push(classify(POISONS[kind]!).name);
      }
      await delivery.offer(TOPIC, naming?.name(drafts, page >= 6, clock) ?? drafts);
      if (clock.random() < 0.3) await clock.sleep(20 * clock.random());
    }
    await delivery.drained();
  };
  await clock.run(work());
  await clock.run(clock.sleep(10_000));
  await clock.run(delivery[Symbol.asyncDispose]());
  return { delivery, cluster: fake, records, faults, poisoned, naming };
}

/** What the partitions hold. */
function writtenIn(cluster: FakeCluster): WrittenRecord[] {
  return cluster.partitions.flatMap(({ log }, partition) => log.map((record) => ({ partition, ...record })));
}

/** Check what is promised. @returns whether the run was one in which nothing may stand twice */
function check({ cluster, delivery, faults, naming, poisoned, records }: Run, idempotent: boolean): boolean {
  const unplaced = new Array(naming?.nowhere ?? 0).fill("UNKNOWN_PARTITION");
  assert.deepEqual(
    delivery.letters.map(({ code }) => code).toSorted(),
    [...poisoned, ...unplaced].toSorted(),
  );
  const written = writtenIn(cluster);
  naming?.check(written);
  const once = idempotent && delivery.states.length === 0 && faults.forgets === 0 && faults.expires === 0;
  if (once) records.assertExactlyOnce(written);
  else records.assertInOrder(written);
  return once;
}

for (const idempotent of [true, false]) {
  const promise = idempotent ? "exactly once" : "at least once";
  Deno.test(`the Kafka sink delivers ${promise} and in order whatever the cluster does`, async () => {
    let exactly = 0;
    let ended = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        const result = await run(seed, idempotent);
        if (check(result, idempotent)) exactly++;
        if (result.delivery.states.length > 0) ended++;
      } catch (error) {
        throw new Error(`Seed ${seed}`, { cause: error });
      }
    }
    assert.ok(ended > SEEDS / 20, `only ${ended} runs had a generation that ended`);
    if (idempotent) assert.ok(exactly > SEEDS / 10, `only ${exactly} runs had to be exact`);
  });
}

/** A cluster whose brokers take every batch, whatever its number. */
class CarelessCluster extends FakeCluster {
  override handle(node: number, topics: readonly TopicBatches[]): ProduceAnswer {
    for (const partition of this.partitions) partition.forgetProducers();
    return super.handle(node, topics);
  }
}

Deno.test("the same check finds brokers that do not look at the numbers", async () => {
  let found = 0;
  for (let seed = 1; seed <= 40; seed++) {
    try {
      check(await run(seed, true, CarelessCluster), true);
    } catch (error) {
      assert.ok(error instanceof assert.AssertionError, String(error));
      found++;
    }
  }
  assert.ok(found >= 5, `only ${found} of 40 runs`);
});
