/**
 * A Kafka cluster in memory, with faults by chance, on a virtual clock. It answers as brokers do: it knows the leader of a
 * partition, checks numbers of idempotent producers, and may still handle a request after its connection was lost.
 *
 * @module
 */

import { FaultError, unavailable } from "../../plugins/sdk/mod.ts";
import type { ClusterPort, Topic } from "../../plugins/sink_kafka/cluster/cluster_port.ts";
import type {
  PartitionResult,
  ProduceAnswer,
  Producing,
  RecordError,
  TopicBatches,
} from "../../plugins/sink_kafka/cluster/produce_api.ts";
import type { Producer } from "../../plugins/sink_kafka/cluster/cluster_port.ts";
import { CODES, FakePartition, kindOf } from "./fake_partition.ts";
import { type ReadBatch, readBatch } from "./record_batch_reader.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** How often things go wrong, each between 0 and 1. */
export interface ClusterFaults {
  /** A batch is answered with an error. */
  readonly errors: number;
  /** A request's connection is lost when it is sent. */
  readonly cuts: number;
  /** A request is never answered. */
  readonly hangs: number;
  /** A partition gets another leader when a request is handled. */
  readonly moves: number;
  /** That leader knows nothing of producers. */
  readonly forgets: number;
  /** A producer id is no longer good. */
  readonly expires: number;
  /** A connection cannot be made. */
  readonly unreachable: number;
}

const NODES = [1, 2, 3];
/** The longest way of a request or an answer, in milliseconds. */
const WAY_MS = 5;
/** The least time between two elections of a partition's leader. */
const TERM_MS = 50;
/** The most by which a request is handled after its connection was lost. */
const LATE_MS = 3_000;

/** A cluster of three brokers with one topic. */
export class FakeCluster implements ClusterPort {
  asOfMs = -Infinity;
  readonly partitions: FakePartition[];
  readonly clock: VirtualClock;
  /** May be changed while it runs. */
  faults: ClusterFaults;
  readonly #topic: string;
  readonly #connections = new Map<number, FakeConnection>();
  #known: Topic | undefined;
  #producers = 0n;

  constructor(clock: VirtualClock, topic: string, partitions: number, faults: ClusterFaults) {
    this.clock = clock;
    this.faults = faults;
    this.#topic = topic;
    this.partitions = Array.from({ length: partitions }, () => new FakePartition(this.#anyNode()));
  }

  topic(name: string): Topic | undefined {
    return name === this.#topic ? this.#known : undefined;
  }

  leaderOf(topic: string, partition: number): number {
    return this.topic(topic)?.leaders[partition] ?? -1;
  }

  async refresh(): Promise<void> {
    const askedMs = this.clock.monotonic();
    await this.clock.sleep(2 * WAY_MS * this.clock.random());
    if (this.#happens(this.faults.unreachable)) throw unreachable();
    this.asOfMs = askedMs;
    this.#known = { errorCode: 0, leaders: this.partitions.map(({ leader }) => leader) };
  }

  /** Add a partition. */
  grow(): void {
    this.partitions.push(new FakePartition(this.#anyNode()));
  }

  forgetUnused(): void {}

  async connect(node: number): Promise<Producing> {
    await this.clock.sleep(2 * WAY_MS * this.clock.random());
    if (this.#happens(this.faults.unreachable)) throw unreachable();
    const known = this.connected(node);
    if (known !== undefined) return known;
    const connection = new FakeConnection(this, node);
    this.#connections.set(node, connection);
    return connection;
  }

  connected(node: number): Producing | undefined {
    const connection = this.#connections.get(node);
    return connection?.lost === false ? connection : undefined;
  }

  async initProducerId(): Promise<Producer> {
    await this.clock.sleep(WAY_MS * this.clock.random());
    if (this.#happens(this.faults.unreachable)) throw unreachable();
    return { id: this.#producers++, epoch: 0 };
  }

  reconfigure(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Handle a request as the broker `node`. */
  handle(node: number, topics: readonly TopicBatches[]): ProduceAnswer {
    const results = topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, batch }): PartitionResult => {
        const read = readBatch(batch);
        const errorCode = this.#append(node, this.partitions[partition]!, read);
        const recordErrors = errorCode === CODES.invalidRecord ? namedIn(read) : [];
        return { topic, partition, errorCode, errorMessage: null, recordErrors };
      })
    );
    return { results, throttleMs: this.#happens(this.faults.errors / 4) ? 50 : 0 };
  }

  /** Whether a connection is lost, or never answers, now. */
  chance(): "cut" | "hang" | "answer" {
    if (this.#happens(this.faults.cuts)) return "cut";
    return this.#happens(this.faults.hangs) ? "hang" : "answer";
  }

  #append(node: number, partition: FakePartition, batch: ReadBatch): number {
    if (this.#happens(this.faults.moves)) this.#move(partition);
    if (partition.leader !== node) return CODES.notLeader;
    if (this.#happens(this.faults.errors)) return CODES.notEnoughReplicas;
    if (batch.producerId >= 0n && this.#happens(this.faults.expires)) return CODES.invalidProducerId;
    const code = partition.append(batch);
    if (code !== CODES.none) return code;
    // The next leader has the batch, and this one can only say that it leads no more.
    if (this.#happens(this.faults.moves)) this.#move(partition);
    if (partition.leader !== node) return CODES.notLeader;
    if (!this.#happens(this.faults.errors)) return code;
    return this.#happens(0.5) ? CODES.requestTimedOut : CODES.notEnoughReplicasAfterAppend;
  }

  #move(partition: FakePartition): void {
    const nowMs = this.clock.monotonic();
    if (nowMs < partition.movedAtMs + TERM_MS) return;
    const before = partition.leader;
    partition.leader = this.#anyNode();
    partition.movedAtMs = nowMs;
    if (partition.leader !== before && this.#happens(this.faults.forgets)) partition.forgetProducers();
  }

  #happens(chance: number): boolean {
    return this.clock.random() < chance;
  }

  #anyNode(): number {
    return NODES[Math.floor(this.clock.random() * NODES.length)]!;
  }
}

/** The records of a batch that a broker points out as the ones at fault. */
function namedIn({ records }: ReadBatch): RecordError[] {
  return records.flatMap(({ key }, index) => kindOf(key) === "named" ? [{ index, message: "refused" }] : []);
}

function unreachable(): FaultError {
  return new FaultError(unavailable("BROKER_UNREACHABLE", "no broker answers"));
}

interface Request {
  readonly topics: readonly TopicBatches[];
  readonly done: (error: Error | null, answer?: ProduceAnswer) => void;
  handled: boolean;
}

/** A connection to one broker: requests are handled in order, and answered in order. */
class FakeConnection implements Producing {
  lost = false;
  readonly #cluster: FakeCluster;
  readonly #node: number;
  #open: Request[] = [];
  /** The way to the broker and back: one after the other. */
  #out: Promise<void> = Promise.resolve();
  #back: Promise<void> = Promise.resolve();

  constructor(cluster: FakeCluster, node: number) {
    this.#cluster = cluster;
    this.#node = node;
  }

  produce(_acks: number, timeoutMs: number, topics: readonly TopicBatches[], done: Request["done"]): void {
    if (this.lost) return done(new Error("Connection closed"));
    // As the library does: what happens to the memory afterwards does not matter.
    const copy = topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, batch }) => ({ partition, batch: batch.slice() })),
    }));
    const request = { topics: copy, done, handled: false };
    this.#open.push(request);
    const chance = this.#cluster.chance();
    if (chance === "cut") this.#later(() => this.#lose());
    else this.#travel(request, chance === "answer");
    this.#cluster.clock.sleep(timeoutMs).then(() => this.#open.includes(request) && this.#lose());
  }

  #travel(request: Request, answered: boolean): void {
    const { clock } = this.#cluster;
    this.#out = this.#out.then(() => clock.sleep(WAY_MS * clock.random() / 4)).then(() => {
      if (this.lost || request.handled) return;
      request.handled = true;
      const answer = this.#cluster.handle(this.#node, request.topics);
      if (answered) this.#answer(request, answer);
    });
  }

  #answer(request: Request, answer: ProduceAnswer): void {
    const { clock } = this.#cluster;
    this.#back = this.#back.then(() => clock.sleep(WAY_MS * clock.random() / 4)).then(() => {
      // Answers come in order: behind one that hangs no other one comes.
      if (this.lost || this.#open[0] !== request) return;
      this.#open.shift();
      request.done(null, answer);
    });
  }

  /** The connection is lost. Some of the requests on their way arrive all the same, perhaps late. */
  #lose(): void {
    if (this.lost) return;
    this.lost = true;
    const { clock } = this.#cluster;
    const open = this.#open;
    this.#open = [];
    const unhandled = open.filter(({ handled }) => !handled);
    const arriving = unhandled.slice(0, Math.floor(clock.random() * (unhandled.length + 1)));
    clock.sleep(LATE_MS * clock.random() ** 4).then(() => {
      for (const { topics } of arriving) this.#cluster.handle(this.#node, topics);
    });
    for (const { done } of open) done(new Error("Connection closed"));
  }

  #later(action: () => void): void {
    const { clock } = this.#cluster;
    clock.sleep(WAY_MS * clock.random()).then(action);
  }
}
