/**
 * A pipeline's place in the database, into which no secret is written: what a plugin says, and whom it asked, may echo one.
 *
 * @module
 */

import type { DeadLetterStore } from "../record/dead_letter.ts";
import type { LetterOutcome, RetryStore } from "../record/letter.ts";
import type { PipelineReport, PipelineStore } from "./mod.ts";

/** The same store, but for the secrets in what people read there. @param redact removes them from a text */
export function redactedStore(store: PipelineStore, redact: (text: string) => string): PipelineStore {
  return {
    lease: store.lease,
    openOutbox: async (spec, epoch) => {
      const outbox = await store.openOutbox(spec, epoch);
      const { deadLetters, retries } = outbox;
      return {
        ...outbox,
        deadLetters: redactedLetters(deadLetters, redact),
        retries: redactedRetries(retries, redact),
      };
    },
    report: (epoch, report) => store.report(epoch, redactedReport(report, redact)),
  };
}

/** What the message itself holds stays as it is: it must be possible to send it again. */
function redactedLetters(store: DeadLetterStore, redact: (text: string) => string): DeadLetterStore {
  return {
    keep: (letters) => store.keep(letters.map((letter) => ({ ...letter, reason: redact(letter.reason) }))),
    count: (most) => store.count(most),
  };
}

function redactedRetries(store: RetryStore, redact: (text: string) => string): RetryStore {
  const redacted = (outcome: LetterOutcome): LetterOutcome =>
    typeof outcome === "string" ? outcome : { ...outcome, reason: redact(outcome.reason) };
  return {
    next: () => store.next(),
    read: (request, afterId, limit) => store.read(request, afterId, limit),
    settle: (request, letters) =>
      store.settle(request, letters.map((one) => ({ ...one, outcome: redacted(one.outcome) }))),
    finish: (request) => store.finish(request),
  };
}

function redactedReport(report: PipelineReport, redact: (text: string) => string): PipelineReport {
  const { reason, advice } = report;
  return { ...report, reason: reason && redact(reason), advice: advice && redact(advice) };
}
