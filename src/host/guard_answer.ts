/**
 * Checks of answers and faults.
 *
 * @module
 */

import type { Answer, Failure, Fault, Opened, Rejection } from "@pg-tide/sdk";
import { parseAddress } from "./address.ts";
import {
  member,
  type Members,
  optional,
  readArray,
  readCode,
  readInteger,
  readList,
  readNumber,
  readObject,
  readOneOf,
  readText,
  refuse,
} from "./guard_value.ts";
import { HOST_LIMITS } from "./limits.ts";

/** A day: a plugin that wants to wait longer is wrong about its unit. */
const RETRY_AFTER_MAX_MS = 86_400_000;

/**
 * Read the answer to a page.
 *
 * Afterwards its ranges rise within the page and never overlap, every record has at most one outcome, and either all have one
 * or there is a fault.
 *
 * @param count records of the page
 * @param progress how many of the first were told to be delivered: they are in the answer, too
 * @throws {GuardError} when it is anything else
 */
export function readAnswer(value: unknown, count: number, progress = 0): Answer {
  const members = readObject(value, "answer");
  const delivered = readArray(member(members, "delivered"), "answer.delivered", "Uint32Array");
  const rejected = readList(
    member(members, "rejected"),
    "answer.rejected",
    count,
    (one, at) => readRejection(one, at, count),
  );
  const failed = readList(
    member(members, "failed"),
    "answer.failed",
    count,
    (one, at) => readFailure(one, at, count),
  );
  const outcomes = new Uint8Array(count);
  let open = count - markRanges(delivered, outcomes);
  const missing = outcomes.subarray(0, progress).indexOf(0);
  if (missing >= 0) refuse("answer.delivered", `what was told before: record ${missing} was delivered`);
  for (const { index } of [...rejected, ...failed]) {
    if (outcomes[index] !== 0) refuse("answer", `one outcome for each record: ${index} has two`);
    outcomes[index] = 1;
    open--;
  }
  const fault = optional(members, "fault", "answer", readFault);
  if (open > 0 && fault.fault === undefined) {
    refuse("answer", `whole: ${open} of ${count} records have no outcome`);
  }
  return { delivered, rejected, failed, ...fault };
}

/**
 * Read how many of a page's first records are delivered.
 *
 * @param before what was told last
 * @param count records of the page
 */
export function readProgress(value: unknown, before: number, count: number): number {
  return readInteger(value, "progress.delivered", before, count);
}

/** Mark the records of the ranges; returns how many they are. */
function markRanges(ranges: Uint32Array, outcomes: Uint8Array): number {
  if (ranges.length % 2 !== 0) refuse("answer.delivered", "made of pairs");
  let last = 0;
  let marked = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    const from = ranges[i]!;
    const to = ranges[i + 1]!;
    if (from < last || from >= to || to > outcomes.length) {
      refuse("answer.delivered", `rising ranges within ${outcomes.length} records: ${from} to ${to}`);
    }
    outcomes.fill(1, from, to);
    marked += to - from;
    last = to;
  }
  return marked;
}

/** Read a rejection of one of `count` records or messages. */
export function readRejection(value: unknown, at: string, count: number): Rejection {
  return readOutcome(readObject(value, at), at, count);
}

function readFailure(value: unknown, at: string, count: number): Failure {
  const members = readObject(value, at);
  return { ...readOutcome(members, at, count), ...optional(members, "retryAfterMs", at, readRetryAfter) };
}

function readOutcome(members: Members, at: string, count: number): Rejection {
  return {
    index: readInteger(member(members, "index"), `${at}.index`, 0, count - 1),
    code: readCode(member(members, "code"), `${at}.code`),
    reason: readText(member(members, "reason"), `${at}.reason`),
  };
}

/** Read a fault. */
export function readFault(value: unknown, at: string): Fault {
  const members = readObject(value, at);
  const kind = readOneOf(member(members, "kind"), `${at}.kind`, ["unavailable", "configuration", "hosts"]);
  if (kind === "hosts") return { kind, hosts: readHosts(member(members, "hosts"), `${at}.hosts`) };
  const what = {
    code: readCode(member(members, "code"), `${at}.code`),
    reason: readText(member(members, "reason"), `${at}.reason`),
  };
  return kind === "unavailable"
    ? { kind, ...what, ...optional(members, "retryAfterMs", at, readRetryAfter) }
    : { kind, ...what, advice: readText(member(members, "advice"), `${at}.advice`) };
}

/** Read a list of `host:port`. */
export function readHosts(value: unknown, at: string): string[] {
  return readList(value, at, HOST_LIMITS.hosts, (entry, where) => {
    const address = typeof entry === "string" && entry.length <= 300 ? parseAddress(entry) : null;
    return address ?? refuse(where, "host:port");
  });
}

/** Read how the kernel may use a sink. */
export function readOpened(value: unknown): Opened {
  const members = readObject(value, "opened");
  return {
    ...optional(
      members,
      "pagesInFlight",
      "opened",
      (count, at) => readInteger(count, at, 1, HOST_LIMITS.pagesInFlightMax),
    ),
    ...optional(
      members,
      "answerWithinMs",
      "opened",
      (ms, at) => readInteger(ms, at, 1, HOST_LIMITS.answerMaxMs),
    ),
    ...optional(members, "notice", "opened", readText),
  };
}

function readRetryAfter(value: unknown, at: string): number {
  const ms = readNumber(value, at);
  return ms < 0 || ms > RETRY_AFTER_MAX_MS ? refuse(at, `from 0 to ${RETRY_AFTER_MAX_MS}`) : Math.ceil(ms);
}
