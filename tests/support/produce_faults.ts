/**
 * What a {@link FaultLink} makes of Produce requests and their answers.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { FaultLedger } from "./fault_ledger.ts";
import {
  type Decision,
  denialCode,
  type FaultKind,
  FORBIDDEN,
  numbersCode,
  refusalCode,
} from "./fault_schedule.ts";
import type { RequestHead } from "./kafka_wire.ts";
import {
  type PartitionAnswer,
  type ProduceRequest,
  readProduceAnswer,
  refusal,
  type SentBatch,
  writeProduceAnswer,
} from "./produce_wire.ts";

/** What is needed to know. */
export interface ProduceFaultPorts {
  readonly ledger: FaultLedger;
  /** Whether the link's node leads a partition. */
  readonly leads: (topic: string, partition: number) => boolean;
  /** Give a partition another leader. */
  readonly move: (topic: string, partition: number) => void;
  /** Something was done to a request. */
  readonly note: (kind: FaultKind, head: RequestHead, what: string) => void;
}

/** A request, and what was kept from the broker. */
export interface Dealt {
  readonly head: RequestHead;
  readonly decision: Decision;
  /** What is said of the partitions that the broker was not given. */
  readonly refused: readonly PartitionAnswer[];
  /** The batches that it was given. */
  readonly given: readonly SentBatch[];
}

/** NOT_LEADER_OR_FOLLOWER. */
const NOT_LEADER = 6;
/** Errors that leave it open whether the batch was written. */
const OPEN_CODES: ReadonlySet<number> = new Set([7, 13, 20, 56, -1]);
/** What a throttled client is asked to wait for, in milliseconds. */
const THROTTLE_MS = 60;
/** How often one of the partitions that a fault is about is spared. */
const SPARED = 0.4;

/** Decide which batches of a request the broker gets. */
export function deal(request: ProduceRequest, decision: Decision, ports: ProduceFaultPorts): Dealt {
  const { batches, head } = request;
  const { chance, kind } = decision;
  if (kind === "move") {
    const { partition, topic } = batches[Math.floor(chance() * batches.length)]!;
    ports.note(kind, head, `${topic}/${partition}`);
    ports.move(topic, partition);
  }
  const refused: PartitionAnswer[] = [];
  const given: SentBatch[] = [];
  for (const batch of batches) {
    ports.ledger.see(batch);
    const code = refusalOf(batch, decision, head, ports);
    if (code === undefined) given.push(batch);
    else refused.push(refusal(batch, code));
  }
  return { head, decision, refused, given };
}

/** The error that a batch is answered with instead of being given to the broker, if it is. */
function refusalOf(
  batch: SentBatch,
  decision: Decision,
  head: RequestHead,
  { ledger, leads, note }: ProduceFaultPorts,
): number | undefined {
  if (!leads(batch.topic, batch.partition)) return NOT_LEADER;
  const { kind } = decision;
  if (kind !== "refuse" && kind !== "forbid" && kind !== "miscount") return undefined;
  const code = decision.code ?? drawnCode(batch, decision, ledger);
  if (code !== undefined) note(kind, head, `${nameOf(batch)} is answered with ${code}`);
  return code;
}

/** An error by chance that a broker may answer this batch with; undefined to spare it. */
function drawnCode(batch: SentBatch, { chance, kind }: Decision, ledger: FaultLedger): number | undefined {
  if (chance() < SPARED) return undefined;
  if (kind === "forbid") return FORBIDDEN;
  if (kind === "refuse") return refusalCode(chance, batch.count > 1 && ledger.isNew(batch));
  return ledger.mayMiscount(batch) ? numbersCode(chance) : undefined;
}

/** What the client gets instead of the broker's answer. */
export function changeAnswer(frame: Buffer, dealt: Dealt, { ledger, note }: ProduceFaultPorts): Buffer {
  const { decision: { chance, code: wanted, kind }, given, head, refused } = dealt;
  const answer = readProduceAnswer(frame, head.version);
  const said = answer.partitions.map((partition) => {
    if (kind !== "deny" || partition.errorCode !== 0) return partition;
    if (wanted === undefined && chance() < SPARED) return partition;
    const errorCode = wanted ?? denialCode(chance);
    note(
      kind,
      head,
      `${partition.topic}/${partition.partition} is answered with ${errorCode} although written`,
    );
    return { ...partition, errorCode };
  });
  for (const { errorCode, partition, topic } of said) {
    const batch = given.find((one) => one.topic === topic && one.partition === partition);
    if (batch !== undefined && !OPEN_CODES.has(errorCode)) ledger.settle(batch);
  }
  const partitions = [...said, ...refused];
  if (kind !== "throttle") return writeProduceAnswer({ ...answer, partitions }, head.version);
  note(kind, head, `for ${THROTTLE_MS} ms`);
  return writeProduceAnswer({ ...answer, partitions, throttleMs: THROTTLE_MS }, head.version);
}

/** What the client gets when the broker was given nothing. */
export function ownAnswer({ head: { correlationId, version }, refused }: Dealt): Buffer {
  return writeProduceAnswer({ correlationId, partitions: refused, throttleMs: 0 }, version);
}

/** A batch in the trace: its partition, the numbers of its producer, and how many records it has. */
export function nameOf({ count, epoch, partition, producerId, sequence, topic }: SentBatch): string {
  const numbers = producerId < 0n ? "" : ` ${producerId}/${epoch}/${sequence}`;
  return `${topic}/${partition}${numbers} +${count}`;
}
