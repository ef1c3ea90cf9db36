import assert from "node:assert/strict";
import { type LogFields, type Logger, SILENT } from "../../../src/base/telemetry.ts";
import type { Catalog, Expired, PipelineSpec } from "../../../src/run/mod.ts";
import { Supervisor } from "../../../src/run/supervisor.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const spec = (name: string, change: Partial<PipelineSpec> = {}): PipelineSpec => ({
  name,
  outbox: "orders",
  outboxNumber: 1,
  incarnation: "abcd1234",
  consumerGroup: "g",
  config: {},
  enabled: true,
  revision: 1,
  retriesWaiting: false,
  ...change,
});

function setup() {
  const clock = new VirtualClock();
  const events: string[] = [];
  let specs: PipelineSpec[] = [];
  let down: boolean | "hangs" = false;
  let stopMs = 0;
  let told = new AbortController();
  const expired: Expired[] = [];
  const warnings: LogFields[] = [];
  const logWith = (shared: LogFields): Logger => ({
    ...SILENT,
    warn: (_text, fields) => void warnings.push({ ...shared, ...fields }),
    with: logWith,
  });
  const catalog: Catalog = {
    load: async () => {
      while (down === "hangs") await clock.sleep(10);
      if (down) throw new Error("down");
      return specs;
    },
    waitForChange: async (ms, signal) => {
      await clock.sleep(ms, AbortSignal.any([signal, told.signal]));
      const wasTold = told.signal.aborted;
      told = new AbortController();
      return wasTold;
    },
    maintain: () => Promise.resolve([]),
    expire: () => Promise.resolve(expired.splice(0)),
  };
  const create = (made: PipelineSpec) => ({
    spec: made,
    start: () => void events.push(`start ${made.name} ${made.revision}`),
    update(changed: PipelineSpec) {
      this.spec = changed;
      events.push(`update ${changed.name} ${changed.revision}`);
    },
    poke: () => void events.push(`poke ${made.name}`),
    resend: () => void events.push(`resend ${made.name}`),
    stop: async () => {
      await clock.sleep(stopMs);
      events.push(`stop ${made.name}`);
    },
  });
  const supervisor = new Supervisor({ catalog, create, clock, log: logWith({}) });
  supervisor.start();
  return {
    clock,
    events,
    supervisor,
    set: (changed: PipelineSpec[]) => specs = changed,
    setDown: (value: boolean | "hangs") => down = value,
    notify: () => told.abort(),
    setStopMs: (ms: number) => stopMs = ms,
    warnings,
    expire: (some: readonly Expired[]) => void expired.push(...some),
  };
}

Deno.test("Supervisor starts, changes and stops pipelines within a second of the change", async () => {
  const { clock, events, supervisor, set } = setup();
  const step = async (specs: PipelineSpec[]) => {
    events.length = 0;
    set(specs);
    await clock.run(clock.sleep(1_010));
    return [...events];
  };
  assert.deepEqual(await step([spec("a"), spec("b", { enabled: false })]), ["start a 1"]);
  assert.deepEqual(await step([spec("a", { revision: 2 }), spec("b")]), ["update a 2", "start b 1"]);
  assert.deepEqual(await step([spec("a", { revision: 2 })]), ["stop b"]);
  assert.deepEqual(await step([spec("a", { revision: 2 })]), []);
  await clock.run(supervisor.stop());
  assert.deepEqual(events, ["stop a"]);
});

Deno.test("Supervisor tells a pipeline of dead letters to send again at each look, and no other one", async () => {
  const { clock, events, supervisor, set } = setup();
  set([spec("a", { retriesWaiting: true }), spec("b")]);
  await clock.run(clock.sleep(1_010));
  assert.deepEqual(events, ["start a 1", "start b 1"]);
  await clock.run(clock.sleep(3_000));
  const told = events.filter((event) => event === "resend a").length;
  assert.ok(told === 2 || told === 3, events.join());
  set([spec("a"), spec("b")]);
  await clock.run(clock.sleep(2_000));
  events.length = 0;
  await clock.run(clock.sleep(3_000));
  assert.deepEqual(events, []);
  await clock.run(supervisor.stop());
});

Deno.test("Supervisor warns of dead letters that were dropped", async () => {
  const { clock, supervisor, warnings, expire } = setup();
  expire([{ pipeline: "a", count: 7, days: 30 }]);
  await clock.run(clock.sleep(1_000));
  await clock.run(supervisor.stop());
  assert.deepEqual(warnings, [{ pipeline: "a", count: 7, days: 30 }]);
});

Deno.test("Supervisor starts a pipeline anew when it moves to another outbox or group", async () => {
  const { clock, events, supervisor, set } = setup();
  set([spec("a")]);
  await clock.run(clock.sleep(1_010));
  set([spec("a", { revision: 2, outboxNumber: 2, outbox: "payments" })]);
  await clock.run(clock.sleep(2_100));
  assert.deepEqual(events, ["start a 1", "stop a", "start a 2"]);
  await clock.run(supervisor.stop());
});

Deno.test("Supervisor keeps pipelines running while the catalog cannot be read", async () => {
  const { clock, events, supervisor, set, setDown } = setup();
  set([spec("a")]);
  await clock.run(clock.sleep(1_010));
  setDown(true);
  set([]);
  await clock.run(clock.sleep(60_000));
  assert.deepEqual(events, ["start a 1"]);
  setDown(false);
  await clock.run(clock.sleep(6_000));
  assert.deepEqual(events, ["start a 1", "stop a"]);
  await clock.run(supervisor.stop());
});

Deno.test("Supervisor changes a pipeline that was deleted and made again between two looks", async () => {
  const { clock, events, supervisor, set } = setup();
  set([spec("a", { config: { topic: "old" } })]);
  await clock.run(clock.sleep(1_010));
  set([spec("a", { config: { topic: "new" } })]);
  await clock.run(clock.sleep(1_010));
  assert.deepEqual(events, ["start a 1", "update a 1"]);
  await clock.run(supervisor.stop());
});

Deno.test("Supervisor lets pipelines ask for their leases when told of a change, and after an outage", async () => {
  const { clock, events, supervisor, set, setDown, notify } = setup();
  set([spec("a")]);
  await clock.run(clock.sleep(1_500));
  events.length = 0;
  await clock.run(clock.sleep(5_000));
  assert.deepEqual(events, [], "nobody told it anything");
  notify();
  await clock.run(clock.sleep(100));
  assert.deepEqual(events, ["poke a"]);
  setDown(true);
  await clock.run(clock.sleep(5_000));
  setDown(false);
  await clock.run(clock.sleep(6_000));
  assert.deepEqual(events, ["poke a", "poke a"]);
  await clock.run(supervisor.stop());
});

Deno.test("Supervisor drains its pipelines although a look at the catalog hangs, and starts none afterwards", async () => {
  const { clock, events, supervisor, set, setDown } = setup();
  set([spec("a")]);
  await clock.run(clock.sleep(1_010));
  setDown("hangs");
  set([spec("a"), spec("b")]);
  await clock.run(clock.sleep(2_000));
  const stopped = supervisor.stop();
  await clock.run(clock.sleep(100));
  assert.deepEqual(events, ["start a 1", "stop a"]);
  setDown(false);
  await clock.run(stopped);
  assert.deepEqual(events, ["start a 1", "stop a"]);
});

Deno.test("Supervisor waits for a draining pipeline before it starts its successor, and for nothing else", async () => {
  const { clock, events, supervisor, set, setStopMs } = setup();
  set([spec("slow")]);
  await clock.run(clock.sleep(1_010));
  setStopMs(5_000);
  set([]);
  await clock.run(clock.sleep(1_010));
  set([spec("slow", { revision: 2 }), spec("other")]);
  await clock.run(clock.sleep(2_000));
  assert.deepEqual(events, ["start slow 1", "start other 1"]);
  await clock.run(clock.sleep(4_000));
  assert.deepEqual(events, ["start slow 1", "start other 1", "stop slow", "start slow 2"]);
  await clock.run(supervisor.stop());
});
