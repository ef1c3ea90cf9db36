import assert from "node:assert/strict";
import { SILENT } from "../../../src/base/telemetry.ts";
import type { Catalog, PipelineSpec } from "../../../src/run/mod.ts";
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
  ...change,
});

function setup() {
  const clock = new VirtualClock();
  const events: string[] = [];
  let specs: PipelineSpec[] = [];
  let down = false;
  let stopMs = 0;
  const catalog: Catalog = {
    load: () => down ? Promise.reject(new Error("down")) : Promise.resolve(specs),
    waitForChange: (ms, signal) => clock.sleep(ms, signal),
    maintain: () => Promise.resolve([]),
  };
  const create = (made: PipelineSpec) => ({
    spec: made,
    start: () => void events.push(`start ${made.name} ${made.revision}`),
    update(changed: PipelineSpec) {
      this.spec = changed;
      events.push(`update ${changed.name} ${changed.revision}`);
    },
    stop: async () => {
      await clock.sleep(stopMs);
      events.push(`stop ${made.name}`);
    },
  });
  const supervisor = new Supervisor({ catalog, create, clock, log: SILENT });
  supervisor.start();
  return {
    clock,
    events,
    supervisor,
    set: (changed: PipelineSpec[]) => specs = changed,
    setDown: (value: boolean) => down = value,
    setStopMs: (ms: number) => stopMs = ms,
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
