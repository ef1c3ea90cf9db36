/**
 * The load in whose middle the relay is killed: several connections, shared keys, long transactions and rollbacks.
 *
 * @module
 */

import type { Sql } from "postgres";
import { pause } from "./interrupt.ts";
import type { Ledger } from "./ledger.ts";
import { Publisher } from "./publisher.ts";
import { type Task, together } from "./together.ts";

/** Connections that commit as fast as they may. */
const QUICK = 4;
/** Connections that hold each transaction open for a second or more. */
const PATIENT = 2;

/** The keys that quick publishers share, and those that patient ones hold: two for each, so that they hold at once. */
export const ACCOUNTS = namesOf("account", 100);
const REPORTS = namesOf("patient", PATIENT).map((name) => namesOf(`${name}-report`, 2));

/** All keys of the load. */
export const KEYS: readonly string[] = [...ACCOUNTS, ...REPORTS.flat()];

/** Not faster than this, so that there is a middle in which to kill the relay. */
const LEAST_DURATION_MS = 4_000;

const PATIENT_MESSAGES = 3;
const PATIENT_LEAST_TRANSACTIONS = 4;
/** One more long transaction for so many messages, so that they go on for as long as the quick ones. */
const MESSAGES_PER_LONG_TRANSACTION = 4_000;

/** Which transactions end by ROLLBACK, and which of the quick ones wait for a key that a patient one may hold. */
const ROLL_BACK_EVERY = 10;
const WAIT_EVERY = 60;

/** What each connection has to publish. */
interface Share {
  readonly transactions: number;
  readonly quickMessages: number;
}

/**
 * Publish `messages` messages, and some more that are rolled back.
 *
 * @param connect gives a client with so many connections
 * @param prefix of all message ids
 */
export async function publishLoad(
  messages: number,
  connect: (max: number) => Sql,
  prefix: string,
  ledger: Ledger,
  signal: AbortSignal,
): Promise<void> {
  const { transactions, quickMessages } = shareOf(messages);
  const pace = new Pace(quickMessages);
  const publisher = (name: string, either: AbortSignal) =>
    new Publisher(connect(1), `${prefix}-${name}`, ledger, either);
  await together(signal, [
    ...REPORTS.map((keys, i): Task => (either) =>
      publishPatiently(publisher(`patient-${i + 1}`, either), keys, transactions, either)
    ),
    ...namesOf("quick", QUICK).map((name, i): Task => (either) =>
      publishQuickly(publisher(name, either), pace, i * WAIT_EVERY / QUICK, either)
    ),
  ]);
}

function shareOf(messages: number): Share {
  const long = Math.round(messages / MESSAGES_PER_LONG_TRANSACTION);
  const transactions = Math.max(PATIENT_LEAST_TRANSACTIONS, long);
  return { transactions, quickMessages: messages - PATIENT * transactions * PATIENT_MESSAGES };
}

/** Long transactions; one that is rolled back comes second, and is held as long as the others. */
async function publishPatiently(
  publisher: Publisher,
  reports: readonly string[],
  transactions: number,
  signal: AbortSignal,
): Promise<void> {
  const plan = () => ({ keys: pick(reports, PATIENT_MESSAGES), holdMs: 1_000 + Math.random() * 500 });
  for (let i = 0; i < transactions; i++) {
    if (i === 1) await publisher.transact({ ...plan(), rollBack: true });
    await publisher.transact({ ...plan(), rollBack: false });
    signal.throwIfAborted();
  }
}

/** Short transactions of one to seven messages, until all are published. @param first differs, so that not all wait at once */
async function publishQuickly(
  publisher: Publisher,
  pace: Pace,
  first: number,
  signal: AbortSignal,
): Promise<void> {
  for (let i = first + 1;; i++) {
    const count = await pace.take(1 + Math.floor(Math.random() * 7), signal);
    if (count === 0) return;
    const keys = pick(ACCOUNTS, count);
    if (i % WAIT_EVERY === 0) keys[0] = REPORTS[(i / WAIT_EVERY) % PATIENT]![0]!;
    if (i % ROLL_BACK_EVERY === 0) await publisher.transact({ keys, holdMs: 0, rollBack: true });
    await publisher.transact({ keys, holdMs: 0, rollBack: false });
  }
}

/** Hands out how many messages to publish next, and when. */
class Pace {
  readonly #total: number;
  readonly #start = performance.now();
  #taken = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Wait until it is time. @returns how many of the wanted are left; 0 when all were handed out */
  async take(wanted: number, signal: AbortSignal): Promise<number> {
    const count = Math.min(wanted, this.#total - this.#taken);
    const due = this.#start + LEAST_DURATION_MS * this.#taken / this.#total;
    this.#taken += count;
    await pause(Math.max(0, due - performance.now()), signal);
    return count;
  }
}

/** So many of the names, at random; the same one may come twice. */
function pick(names: readonly string[], count: number): string[] {
  return Array.from({ length: count }, () => names[Math.floor(Math.random() * names.length)]!);
}

function namesOf(kind: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${kind}-${i + 1}`);
}
