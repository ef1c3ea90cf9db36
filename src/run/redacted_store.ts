/**
 * A pipeline's place in the database, into which no secret is written: what a plugin says, and whom it asked, may echo one.
 *
 * @module
 */

import type { DeadLetterStore } from "../record/dead_letter.ts";
import type { PipelineReport, PipelineStore } from "./mod.ts";

/** The same store, but for the secrets in what people read there. @param redact removes them from a text */
export function redactedStore(store: PipelineStore, redact: (text: string) => string): PipelineStore {
  return {
    lease: store.lease,
    openOutbox: async (spec, epoch) => {
      const outbox = await store.openOutbox(spec, epoch);
      return { ...outbox, deadLetters: redactedLetters(outbox.deadLetters, redact) };
    },
    report: (epoch, report) => store.report(epoch, redactedReport(report, redact)),
  };
}

/** What the message itself holds stays as it is: it must be possible to send it again. */
function redactedLetters(store: DeadLetterStore, redact: (text: string) => string): DeadLetterStore {
  return {
    keep: (letters) => store.keep(letters.map((letter) => ({ ...letter, reason: redact(letter.reason) }))),
  };
}

function redactedReport(report: PipelineReport, redact: (text: string) => string): PipelineReport {
  const { reason, advice } = report;
  return { ...report, reason: reason && redact(reason), advice: advice && redact(advice) };
}
