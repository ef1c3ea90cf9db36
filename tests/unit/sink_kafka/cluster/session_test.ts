import assert from "node:assert/strict";
import { Session } from "../../../../plugins/sink_kafka/cluster/session.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

/** A session, and what it asked for at which time. */
function setUp(
  { prepare = () => Promise.resolve() }: { prepare?: (clock: SinkClock) => Promise<void> } = {},
) {
  const clock = new SinkClock();
  const events: string[] = [];
  const note = (event: string) => events.push(`${event} ${clock.monotonicMs()}`);
  const session = new Session({
    clock,
    prepare: () => {
      note("prepare");
      return prepare(clock);
    },
    renew: () => note("renew"),
    onEnd: () => note("end"),
  });
  return { clock, events, session };
}

const never = () => Promise.reject(new Error("nothing to show"));

Deno.test("Session renews when four fifths of its time are over, each time", async () => {
  const { clock, events, session } = setUp();
  session.begin(10_000);
  await clock.pass(8_000);
  assert.deepEqual(events, ["prepare 8000", "renew 8000"]);
  session.begin(20_000);
  await clock.pass(100_000);
  assert.deepEqual(events.slice(2), ["prepare 24000", "renew 24000"]);
  assert.equal(clock.appointments, 0);
});

Deno.test("Session renews at another moment for each connection", async () => {
  const renewedAt = async (chance: number) => {
    const { clock, events, session } = setUp();
    clock.random = () => chance;
    session.begin(10_000);
    await clock.pass(10_000);
    return events[0];
  };
  assert.deepEqual([await renewedAt(0), await renewedAt(0.999)], ["prepare 7500", "prepare 8499"]);
});

Deno.test("Session does nothing where a broker believes for ever, and after it is stopped", async () => {
  const { clock, events, session } = setUp();
  session.begin(0);
  session.begin(NaN);
  await clock.pass(1e12);
  session.begin(10_000);
  session.stop();
  await clock.pass(1e12);
  assert.deepEqual(events, []);
  assert.equal(clock.appointments, 0);
});

Deno.test("Session tries again while there is nothing to show, and ends before the broker does", async () => {
  const { clock, events, session } = setUp({ prepare: never });
  session.begin(100_000);
  await clock.pass(1e9);
  assert.equal(events[0], "prepare 80000");
  assert.equal(events.at(-1), "end 95000");
  const attempts = events.filter((event) => event.startsWith("prepare")).length;
  assert.ok(attempts >= 3 && attempts <= 6, events.join());
  assert.equal(clock.appointments, 0);
});

Deno.test("Session goes on as soon as there is something to show again", async () => {
  let isDown = true;
  const { clock, events, session } = setUp({ prepare: () => isDown ? never() : Promise.resolve() });
  session.begin(100_000);
  await clock.pass(81_000);
  isDown = false;
  await clock.pass(3_000);
  assert.equal(events.at(-1)?.split(" ")[0], "renew");
  session.begin(100_000);
  await clock.pass(10_000);
  assert.ok(!events.some((event) => event.startsWith("end")), events.join());
});

Deno.test("Session ends in time although it still waits for something to show, and shows it no more", async () => {
  const slow = (clock: SinkClock) => new Promise<void>((resolve) => clock.after(1_600, resolve));
  const { clock, events, session } = setUp({ prepare: slow });
  session.begin(10_000);
  await clock.pass(60_000);
  assert.deepEqual(events, ["prepare 8000", "end 9500"]);
});

Deno.test("Session shows nothing that comes after it was stopped", async () => {
  const slow = (clock: SinkClock) => new Promise<void>((resolve) => clock.after(500, resolve));
  const { clock, events, session } = setUp({ prepare: slow });
  session.begin(10_000);
  await clock.pass(8_000);
  session.stop();
  await clock.pass(60_000);
  assert.deepEqual(events, ["prepare 8000"]);
  assert.equal(clock.appointments, 0);
});

Deno.test("Session does not come back within a second, which brokers refuse: it ends", async () => {
  const { clock, events, session } = setUp();
  session.begin(1_300);
  await clock.pass(1_200);
  assert.deepEqual(events, ["prepare 1100", "renew 1100"]);
  session.begin(1_000);
  await clock.pass(10_000);
  assert.deepEqual(events.slice(2), ["end 2150"]);
});

Deno.test("Session knows no time that is too long for a timer", async () => {
  const { clock, events, session } = setUp();
  session.begin(1e12);
  await clock.pass(2 ** 31);
  assert.equal(events.length, 2);
  assert.ok(Number(events[0]?.split(" ")[1]) < 2 ** 31);
});
