/**
 * Dead letters as text for people.
 *
 * @module
 */

import type { LetterSum, ListedLetter, RetryReceipt, ShownRetry, WholeLetter } from "../pg/letter_office.ts";
import { table } from "./table.ts";

/** "1 dead letter", "12 dead letters", "No dead letter". */
export function lettersOf(count: number): string {
  if (count === 0) return "No dead letter";
  return count === 1 ? "1 dead letter" : `${count} dead letters`;
}

/** A list, each with its reason below, and what to do next. */
export function listText(letters: readonly ListedLetter[], more: boolean): readonly string[] {
  const [first] = letters;
  if (first === undefined) return ["There are no such dead letters."];
  const lines = table(
    ["ID", "PIPELINE", "MESSAGE", "OP", "STAGE", "CODE", "ATTEMPTS", "TOPIC", "FAILED"],
    letters.map((one) => [
      String(one.id),
      one.pipeline,
      String(one.message_id),
      one.op,
      one.stage,
      one.code,
      String(one.attempts),
      one.topic ?? "-",
      one.failed_at,
    ]),
    (row) => {
      const { reason, retry } = letters[row]!;
      return [`    ${reason}`, ...(retry === null ? [] : [`    It is to be sent again: retry ${retry}`])];
    },
  );
  return [
    ...lines.map(printable),
    ...(more ? [`There are more: --after ${letters.at(-1)!.id} shows those behind.`] : []),
    `pg-tide dlq show ${first.id} shows one whole. Once the cause is gone, pg-tide dlq retry --pipeline ${first.pipeline} ` +
    "sends them again.",
  ];
}

/** One letter whole, field by field; what is JSON text as it stands, for digits beyond a double's must not change. */
export function letterText({ letter, ...bodies }: WholeLetter): readonly string[] {
  const facts: Record<string, unknown> = { ...JSON.parse(letter), ...bodies };
  const shown = Object.entries(facts).filter(([, value]) => value !== null);
  const width = Math.max(...shown.map(([name]) => name.length));
  return [
    ...shown.map(([name, value]) => printable(`${name.padEnd(width)}  ${value}`)),
    `pg-tide dlq retry --id ${facts["id"]} sends it again, with --payload FILE with another payload.`,
  ];
}

/** What came of asking. */
export function retryLines({ retry, letters }: RetryReceipt, dryRun: boolean): readonly string[] {
  if (letters === 0) return ["No dead letter matches."];
  if (dryRun) return [`${lettersOf(letters)} would be sent again.`];
  return [
    `Retry ${retry} sends ${lettersOf(letters)} again.`,
    `pg-tide dlq status shows how far it has come; pg-tide dlq cancel ${retry} calls it off.`,
  ];
}

/** What the letters have failed of, and what was asked for. */
export function statusText(sums: readonly LetterSum[], retries: readonly ShownRetry[]): readonly string[] {
  const letters = sums.length === 0 ? ["There are no dead letters."] : table(
    ["PIPELINE", "CODE", "DEAD LETTERS", "FIRST FAILED", "LAST FAILED"],
    sums.map((one) => [one.pipeline, one.code, String(one.letters), one.first_failed_at, one.failed_at]),
  );
  if (retries.length === 0) return letters;
  const asked = table(
    [
      "RETRY",
      "PIPELINE",
      "STATE",
      "LETTERS",
      "DELIVERED",
      "FILTERED",
      "REFUSED",
      "WAITING",
      "RATE",
      "ASKED FOR",
    ],
    retries.map((one) => [
      String(one.retry),
      one.pipeline,
      one.state,
      ...[one.letters, one.delivered, one.filtered, one.refused, one.waiting].map(String),
      one.rate === null ? "-" : `${one.rate}/s`,
      one.requested_at,
    ]),
  );
  return [...letters, "", ...asked];
}

/** How far something has come, in a line. */
export function progressText(now: ShownRetry): string {
  const { retry, letters, delivered, waiting } = now;
  const done = letters === 0 ? 100 : Math.floor(100 * (letters - waiting) / letters);
  return `Retry ${retry}: ${delivered} of ${letters} delivered${besides(now)}, ${done} %`;
}

/** How it has ended, and what to do about what is left. */
export function endText(ended: ShownRetry): readonly string[] {
  const { retry, state, letters, delivered, filtered, refused, source } = ended;
  const how = state === "cancelled" ? "was called off" : "is done";
  const missing = letters - delivered - filtered - refused;
  return [
    `Retry ${retry} ${how}: ${delivered} of ${letters} delivered${besides(ended)}.`,
    ...(missing > 0 && state === "finished"
      ? [`${missing} were gone when their turn came: discarded, or sent by another retry.`]
      : []),
    ...(refused > 0 ? [`pg-tide dlq list --pipeline ${source} shows why they were refused.`] : []),
  ];
}

/** What was not delivered. */
function besides({ filtered, refused }: ShownRetry): string {
  return [
    ...(filtered > 0 ? [`${filtered} filtered out`] : []),
    ...(refused > 0 ? [`${refused} refused again`] : []),
  ].map((text) => `, ${text}`).join("");
}

/** Topics, keys and reasons hold what somebody has published: nothing of it may steer a terminal. */
function printable(line: string): string {
  return line.replaceAll(
    /\p{Cc}/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
