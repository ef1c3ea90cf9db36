import assert from "node:assert/strict";
import { LIMITS } from "../../../src/base/limits.ts";
import { LeaseKeeper } from "../../../src/run/lease_keeper.ts";
import type { Lease } from "../../../src/run/mod.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

function setup(renew: Lease["renew"]) {
  const clock = new VirtualClock();
  const released: number[] = [];
  const lease: Lease = {
    tryAcquire: () => Promise.resolve(1),
    renew,
    release: (epoch) => Promise.resolve(void released.push(epoch)),
  };
  return { clock, released, keeper: new LeaseKeeper(lease, 7, 9_000, clock) };
}

Deno.test("LeaseKeeper renews every third of the lease, and releases it at the end", async () => {
  const renewals: number[] = [];
  const { clock, released, keeper } = setup((epoch) => Promise.resolve(renewals.push(epoch) > 0));
  await clock.run(clock.sleep(30_500));
  assert.deepEqual(renewals, Array(10).fill(7));
  assert.equal(keeper.lost.aborted, false);
  await clock.run(keeper.release());
  assert.deepEqual(released, [7]);
});

Deno.test("LeaseKeeper loses the lease when another relay has taken it, and does not release it then", async () => {
  const { clock, released, keeper } = setup(() => Promise.resolve(false));
  await clock.run(clock.sleep(3_500));
  assert.equal(keeper.lost.aborted, true);
  await clock.run(keeper.release());
  assert.deepEqual(released, []);
});

Deno.test("LeaseKeeper outlives a short outage of the database, not one as long as the lease", async () => {
  let down = false;
  const { clock, keeper } = setup(() => down ? Promise.reject(new Error("down")) : Promise.resolve(true));
  await clock.run(clock.sleep(3_100));
  down = true;
  await clock.run(clock.sleep(4_000));
  down = false;
  await clock.run(clock.sleep(20_000));
  assert.equal(keeper.lost.aborted, false);
  down = true;
  await clock.run(clock.sleep(13_000));
  assert.equal(keeper.lost.aborted, true);
});

Deno.test("LeaseKeeper loses the lease when a renewal hangs for the rest of it", async () => {
  const { clock, keeper } = setup(() => new Promise(() => {}));
  await clock.run(clock.sleep(9_100));
  assert.equal(keeper.lost.aborted, true);
});

Deno.test("LeaseKeeper.release() waits neither for a renewal under way nor long for a database that hangs", async () => {
  const clock = new VirtualClock();
  const never = () => new Promise<never>(() => {});
  const lease: Lease = { tryAcquire: never, renew: never, release: never };
  const keeper = new LeaseKeeper(lease, 7, 60_000, clock);
  await clock.run(clock.sleep(20_100));
  const startedMs = clock.monotonic();
  await clock.run(keeper.release());
  assert.ok(clock.monotonic() - startedMs <= LIMITS.shutdownMs, `${clock.monotonic() - startedMs} ms`);
  assert.equal(keeper.lost.aborted, false);
});
