import assert from "node:assert/strict";
import { within } from "../../../src/base/within.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

Deno.test("within() gives what the work gives, in its time", async () => {
  const clock = new VirtualClock();
  assert.equal(await clock.run(within(clock, 1_000, clock.sleep(999).then(() => "done"))), "done");
  assert.equal(clock.monotonic(), 999);
  await assert.rejects(() => clock.run(within(clock, 1_000, Promise.reject(new Error("no")))), /no/);
});

Deno.test("within() waits no longer than it may, and ignores what fails later", async () => {
  const clock = new VirtualClock();
  const late = clock.sleep(2_000).then(() => Promise.reject(new Error("too late")));
  assert.equal(await clock.run(within(clock, 1_000, late)), undefined);
  assert.equal(clock.monotonic(), 1_000);
  await clock.run(clock.sleep(5_000));
});
