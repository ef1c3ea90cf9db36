import assert from "node:assert/strict";
import { EXIT, UserError } from "../../../src/base/errors.ts";
import { type RetryDesk, waitForRetry } from "../../../src/cli/dlq_wait.ts";
import type { ShownRetry } from "../../../src/pg/letter_office.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const RETRY: ShownRetry = {
  retry: 3,
  pipeline: "p",
  source: "p",
  letter: null,
  code: null,
  before: null,
  rate: null,
  letters: 100,
  delivered: 0,
  filtered: 0,
  refused: 0,
  waiting: 100,
  state: "open",
  requested_by: "ops",
  requested_at: "2026-01-31T12:00:00.000Z",
  finished_at: null,
};

/** Wait for something that stands at each time as `at` says; undefined for gone. */
async function wait(at: (ms: number) => Partial<ShownRetry> | undefined, flags: { json?: true } = {}) {
  const clock = new VirtualClock();
  const office: RetryDesk = {
    retries: () => {
      const change = at(clock.monotonic());
      return Promise.resolve(change === undefined ? [] : [{ ...RETRY, ...change }]);
    },
  };
  const out: string[] = [];
  const err: string[] = [];
  const output = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const code = await clock.run(waitForRetry(office, 3, flags, output, clock));
  return { code, out, err };
}

Deno.test("waitForRetry() tells progress now and then, and ends well when all is delivered", async () => {
  const { code, out, err } = await wait((ms) => {
    const delivered = Math.min(100, Math.floor(ms / 100));
    return { delivered, waiting: 100 - delivered, state: delivered === 100 ? "finished" : "open" };
  });
  assert.equal(code, EXIT.good);
  assert.deepEqual(out, ["Retry 3 is done: 100 of 100 delivered."]);
  assert.ok(err.length >= 3 && err.length <= 6, err.join("\n"));
  assert.match(err[0]!, /^Retry 3: \d+ of 100 delivered, \d+ %$/);
});

Deno.test("waitForRetry() ends badly when some are refused, and when it was called off", async () => {
  const refused = await wait(() => ({ state: "finished", delivered: 99, refused: 1, waiting: 0 }));
  assert.deepEqual([refused.code, refused.err], [EXIT.failure, []]);
  assert.match(refused.out.join("\n"), /1 refused again\.\npg-tide dlq list --pipeline p/);
  const cancelled = await wait(() => ({ state: "cancelled", waiting: 0 }), { json: true });
  assert.equal(cancelled.code, EXIT.failure);
  assert.equal(JSON.parse(cancelled.out.join()).state, "cancelled");
});

Deno.test("waitForRetry() says where to look when nothing moves", async () => {
  const { err } = await wait((ms) => ms < 60_000 ? {} : { state: "finished", delivered: 100, waiting: 0 });
  assert.ok(err.length >= 3 && err.length <= 5, err.join("\n"));
  for (const line of err.slice(1)) {
    assert.match(line, /nothing has moved for a while: pg-tide status shows how the pipeline p is$/);
  }
});

Deno.test("waitForRetry() says so when the pipeline was deleted meanwhile", async () => {
  await assert.rejects(wait((ms) => ms < 1_000 ? {} : undefined), (error) => {
    assert.ok(error instanceof UserError);
    assert.deepEqual([error.code, error.exitCode], ["DEAD_LETTERS_PIPELINE_DELETED", EXIT.failure]);
    return true;
  });
});
