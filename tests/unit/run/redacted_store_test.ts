import assert from "node:assert/strict";
import { redactor } from "../../../src/config/redact.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import type { Refusal, SettledLetter } from "../../../src/record/letter.ts";
import type { OutboxSession, PipelineReport, PipelineSpec, PipelineStore } from "../../../src/run/mod.ts";
import { redactedStore } from "../../../src/run/redacted_store.ts";
import { NO_RETRIES } from "../../support/fake_letters.ts";

Deno.test("redactedStore() writes no secret into what people read, and leaves a message as it is", async () => {
  const reports: PipelineReport[] = [];
  const letters: DeadLetter[] = [];
  const lease = {} as PipelineStore["lease"];
  const settled: SettledLetter[] = [];
  const outbox = {
    deadLetters: {
      keep: (kept) => Promise.resolve(void letters.push(...kept)),
      count: (most) => Promise.resolve(most),
    },
    retries: {
      ...NO_RETRIES,
      next: () => Promise.resolve({ id: 7, rate: null }),
      settle: (_request, some) => Promise.resolve(void settled.push(...some)),
    },
  } as Pick<OutboxSession, "deadLetters" | "retries"> as OutboxSession;
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

  const { deadLetters, retries } = await store.openOutbox({} as PipelineSpec, 1);
  const letter = { reason: "the server echoes hunter2", payload: '{"n":"hunter2"}' } as DeadLetter;
  await deadLetters.keep([letter]);
  assert.deepEqual(letters, [{ reason: "the server echoes ***", payload: '{"n":"hunter2"}' }]);
  assert.equal(await deadLetters.count(3), 3);

  const request = await retries.next();
  const sent = { letter: { id: 1, edits: 0 }, readAt: "now" };
  const refusal = { code: "C", reason: "refused hunter2", recordKey: "hunter2" } as Refusal;
  await retries.settle(request!, [{ ...sent, outcome: "delivered" }, { ...sent, outcome: refusal }]);
  assert.deepEqual(settled, [
    { ...sent, outcome: "delivered" },
    { ...sent, outcome: { code: "C", reason: "refused ***", recordKey: "hunter2" } },
  ]);
});
