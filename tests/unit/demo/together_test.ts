import { strict as assert } from "node:assert";
import { pause } from "../../demo/interrupt.ts";
import { alongside, type Task, together } from "../../demo/together.ts";

const NEVER = new AbortController().signal;

/** Waits for its signal, then says that it has ended. */
function patient(ended: string[], name: string): Task {
  return (signal) => pause(60_000, signal).finally(() => ended.push(name));
}

Deno.test("together() stops the others when one fails, and throws when all have ended", async () => {
  const ended: string[] = [];
  const failing: Task = () => Promise.reject(new Error("so it is"));
  await assert.rejects(
    together(NEVER, [patient(ended, "a"), failing, patient(ended, "b")]),
    /^Error: so it is$/,
  );
  assert.deepEqual(ended, ["a", "b"]);
});

Deno.test("together() stops all when its signal is aborted", async () => {
  const ended: string[] = [];
  const controller = new AbortController();
  const running = together(controller.signal, [patient(ended, "a"), patient(ended, "b")]);
  controller.abort(new Error("enough"));
  await assert.rejects(running, /^Error: enough$/);
  assert.deepEqual(ended, ["a", "b"]);
});

Deno.test("together() returns when all are done", async () => {
  await together(NEVER, [() => Promise.resolve(), () => Promise.resolve()]);
});

Deno.test("alongside() gives what was looked for, and leaves no task behind", async () => {
  const ended: string[] = [];
  assert.equal(await alongside(NEVER, patient(ended, "a"), () => Promise.resolve(7)), 7);
  assert.deepEqual(ended, ["a"]);
});

Deno.test("alongside() stops the task when looking after it fails", async () => {
  const ended: string[] = [];
  const failing = () => Promise.reject(new Error("so it is"));
  await assert.rejects(alongside(NEVER, patient(ended, "a"), failing), /^Error: so it is$/);
  assert.deepEqual(ended, ["a"]);
});

Deno.test("pause() ends at once when its signal is aborted, or was", async () => {
  const controller = new AbortController();
  const waiting = pause(60_000, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /^Error: enough$/);
  await assert.rejects(pause(60_000, controller.signal), /^Error: enough$/);
  await pause(1, NEVER);
});
