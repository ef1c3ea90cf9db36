import assert from "node:assert/strict";
import { type LogFields, type Logger, SILENT } from "../../../src/base/telemetry.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import { LoggedDeadLetters } from "../../../src/run/logged_dead_letters.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

function letter(messageId: number): DeadLetter {
  return {
    messageId,
    recordIndex: 0,
    stage: "deliver",
    failure: "rejected",
    code: "MESSAGE_TOO_LARGE",
    reason: "too large",
    attempts: 1,
    createdMs: 0,
    op: "insert",
    dedupKey: null,
    payload: "{}",
    headers: null,
    previous: null,
    topic: null,
    recordKey: null,
    partition: null,
  };
}

function setup(keep: (letters: readonly DeadLetter[]) => Promise<void>) {
  const clock = new VirtualClock();
  const lines: (LogFields | undefined)[] = [];
  const log: Logger = { ...SILENT, error: (_text, fields) => void lines.push(fields) };
  return {
    clock,
    lines,
    store: new LoggedDeadLetters({ keep, count: () => Promise.resolve(7) }, clock, log),
  };
}

Deno.test("LoggedDeadLetters logs the first at once, and later ones with their number", async () => {
  const kept: number[] = [];
  const { clock, lines, store } = setup((letters) => {
    kept.push(...letters.map(({ messageId }) => messageId));
    return Promise.resolve();
  });
  await store.keep([letter(1)]);
  await store.keep([letter(2), letter(3)]);
  await clock.run(clock.sleep(10_001));
  await store.keep([letter(4)]);
  assert.deepEqual(kept, [1, 2, 3, 4]);
  assert.deepEqual(lines.map((fields) => [fields?.["count"], fields?.["message"]]), [[1, 1], [3, 4]]);
  assert.equal(lines[0]?.["reason"], "too large");
});

Deno.test("LoggedDeadLetters logs nothing that was not kept", async () => {
  const { lines, store } = setup(() => Promise.reject(new Error("fenced")));
  await assert.rejects(() => store.keep([letter(1)]), /fenced/);
  assert.deepEqual(lines, []);
});
