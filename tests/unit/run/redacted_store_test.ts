import assert from "node:assert/strict";
import { redactor } from "../../../src/config/redact.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import type { OutboxSession, PipelineReport, PipelineSpec, PipelineStore } from "../../../src/run/mod.ts";
import { redactedStore } from "../../../src/run/redacted_store.ts";

Deno.test("redactedStore() writes no secret into what people read, and leaves a message as it is", async () => {
  const reports: PipelineReport[] = [];
  const letters: DeadLetter[] = [];
  const lease = {} as PipelineStore["lease"];
  const outbox = {
    deadLetters: { keep: (kept: readonly DeadLetter[]) => Promise.resolve(void letters.push(...kept)) },
  } as OutboxSession;
  const store = redactedStore({
    lease,
    openOutbox: () => Promise.resolve(outbox),
    report: (_epoch, report) => Promise.resolve(void reports.push(report)),
  }, redactor(["hunter2"]));
  assert.equal(store.lease, lease);

  const running: PipelineReport = { state: "running", code: null, reason: null, advice: null };
  await store.report(1, running);
  await store.report(1, {
    state: "blocked",
    code: "C",
    reason: "refused hunter2",
    advice: "Change hunter2.",
  });
  assert.deepEqual(reports, [
    running,
    { state: "blocked", code: "C", reason: "refused ***", advice: "Change ***." },
  ]);

  const { deadLetters } = await store.openOutbox({} as PipelineSpec, 1);
  const letter = { reason: "the server echoes hunter2", payload: '{"n":"hunter2"}' } as DeadLetter;
  await deadLetters.keep([letter]);
  assert.deepEqual(letters, [{ reason: "the server echoes ***", payload: '{"n":"hunter2"}' }]);
});
