/**
 * Leases between two relays.
 */

import assert from "node:assert/strict";
import { connect } from "../../../src/pg/database.ts";
import { PostgresLease } from "../../../src/pg/lease.ts";
import { NEWEST, PIPELINE, sessionTest, type TideSession } from "../../support/tide_session.ts";
import { waitUntil } from "../../support/wait.ts";

function leases({ db }: TideSession): [PostgresLease, PostgresLease] {
  return [new PostgresLease(db, PIPELINE, "a"), new PostgresLease(db, PIPELINE, "b")];
}

/** Let the present lease's time be over, as the server sees it. */
async function expire({ database }: TideSession): Promise<void> {
  await database.sql`
    UPDATE tide.lease SET expires_at = clock_timestamp() - interval '1 microsecond' WHERE pipeline = ${PIPELINE}`;
}

sessionTest("PostgresLease is one relay's until its time is over, by the server's clock", async (tide) => {
  const [a, b] = leases(tide);
  const first = await a.tryAcquire(60_000);
  assert.ok(first !== null);
  assert.equal(await b.tryAcquire(60_000), null);
  assert.equal(await a.tryAcquire(60_000), null, "nobody takes it twice");
  await expire(tide);
  const second = await b.tryAcquire(60_000);
  assert.ok(second !== null && second > first);
  assert.equal(await a.renew(first, 60_000), false);
  assert.equal(await b.renew(second, 60_000), true);
  assert.equal(await a.tryAcquire(60_000), null);
});

sessionTest("PostgresLease lasts as long as it says, from each renewal on", async (tide) => {
  const [a, b] = leases(tide);
  const epoch = await a.tryAcquire(60_000);
  const left = async () => {
    const [row] = await tide.database.sql<{ ms: number }[]>`
      SELECT (date_part('epoch', expires_at - clock_timestamp()) * 1000)::integer AS ms FROM tide.lease`;
    return row!.ms;
  };
  const isNear = (ms: number, expected: number) => ms <= expected && ms > expected - 20_000;
  assert.ok(isNear(await left(), 60_000));
  assert.equal(await a.renew(epoch!, 600_000), true);
  assert.ok(isNear(await left(), 600_000));
  assert.equal(await a.renew(epoch!, 300), true);
  await waitUntil(async () => await b.tryAcquire(60_000) !== null, { what: "the lease's time to be over" });
}, { versions: NEWEST });

sessionTest("PostgresLease that nobody took meanwhile is renewed after its time", async (tide) => {
  const [a, b] = leases(tide);
  const epoch = await a.tryAcquire(60_000);
  await expire(tide);
  assert.equal(await a.renew(epoch!, 60_000), true);
  assert.equal(await b.tryAcquire(60_000), null);
}, { versions: NEWEST });

sessionTest("PostgresLease that is given up is free at once, and the relays are told", async (tide) => {
  const [a, b] = leases(tide);
  const heard: string[] = [];
  await tide.database.connect().listen("tide_config", () => void heard.push("tide_config"));
  const first = await a.tryAcquire(60_000);
  await a.release(first!);
  await waitUntil(() => heard.length > 0, { what: "the notification" });
  const second = await b.tryAcquire(60_000);
  assert.ok(second! > first!);
  // A renewal and a second end that come late change nothing.
  assert.equal(await a.renew(first!, 60_000), false);
  await a.release(first!);
  assert.equal(await b.renew(second!, 60_000), true);
});

sessionTest(
  "PostgresLease that was given up is not brought back by a renewal that comes late",
  async (tide) => {
    const [a, b] = leases(tide);
    const epoch = await a.tryAcquire(60_000);
    await a.release(epoch!);
    assert.equal(await a.renew(epoch!, 60_000), false);
    assert.ok(await b.tryAcquire(60_000) !== null);
  },
  { versions: NEWEST },
);

sessionTest("PostgresLease goes to one of many relays that ask at once", async (tide) => {
  await using others = {
    db: await connect({ url: tide.database.url }),
    [Symbol.asyncDispose]: () => others.db.close(),
  };
  for (let round = 0; round < 5; round++) {
    const asked = Array.from(
      { length: 8 },
      (_, i) =>
        new PostgresLease(i % 2 === 0 ? tide.db : others.db, PIPELINE, `relay ${i}`).tryAcquire(60_000),
    );
    const epochs = (await Promise.all(asked)).filter((epoch) => epoch !== null);
    assert.equal(epochs.length, 1, `round ${round}`);
    await expire(tide);
  }
});

sessionTest(
  "PostgresLease of a pipeline that was deleted is nobody's, and epochs never return",
  async (tide) => {
    const [a] = leases(tide);
    const first = await a.tryAcquire(60_000);
    await tide.database.sql`SELECT tide.relay_delete(${PIPELINE})`;
    assert.equal(await a.renew(first!, 60_000), false);
    assert.equal(await a.tryAcquire(60_000), null);
    await tide.configure({});
    const second = await a.tryAcquire(60_000);
    assert.ok(second! > first!);
  },
  { versions: NEWEST },
);
