/**
 * A pipeline between leases, sessions and changes, over a database and a sink in memory.
 */

import assert from "node:assert/strict";
import { type Fault, misconfigured, unavailable } from "@pg-tide/sdk";
import { EXIT, FencedError, UserError } from "../../../src/base/errors.ts";
import { InvariantError } from "../../../src/base/invariant.ts";
import { LIMITS } from "../../../src/base/limits.ts";
import { SILENT } from "../../../src/base/telemetry.ts";
import type { Sink } from "../../../src/deliver/mod.ts";
import { SourceError } from "../../../src/read/mod.ts";
import type { Position } from "../../../src/record/position.ts";
import type { OpenedPlugins, PipelineSpec, Plugins, Prepared, Readings } from "../../../src/run/mod.ts";
import { Pipeline } from "../../../src/run/pipeline.ts";
import { NO_RETRIES } from "../../support/fake_letters.ts";
import { FakeOutbox } from "../../support/fake_outbox.ts";
import { instantSink } from "../../support/fake_sink.ts";
import { markOf, recordsOf } from "../../support/pages.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const LEASE_MS = 30_000;
const DRAIN_MS = 20_000;
const SPEC: PipelineSpec = {
  name: "a",
  outbox: "orders",
  outboxNumber: 1,
  incarnation: "abcd1234",
  consumerGroup: "g",
  config: {},
  enabled: true,
  revision: 1,
  retriesWaiting: false,
};

function setup() {
  const clock = new VirtualClock();
  const outbox = new FakeOutbox(clock);
  const world = {
    holder: null as string | null,
    epoch: 0,
    position: null as Position | null,
    states: [] as string[],
    sessions: 0,
    /** What opening the outbox, saving and opening the plugins come to. */
    openOutbox: () => Promise.resolve(),
    save: () => Promise.resolve(),
    open: (): Promise<OpenedPlugins> => Promise.resolve(opened(instantSink())),
    prepare: (_spec: PipelineSpec) => Promise.resolve(),
    /** What the configuration's files hold, if it names any. */
    readings: { sink: {}, rest: "" } as Readings,
    reread: null as Prepared["reread"],
    /** How often a session has looked for dead letters to send again. */
    looks: 0,
  };
  const lease = {
    tryAcquire: () => {
      if (world.holder !== null) return Promise.resolve(null);
      world.holder = "us";
      return Promise.resolve(++world.epoch);
    },
    renew: () => Promise.resolve(world.holder === "us"),
    release: () => Promise.resolve(void (world.holder = null)),
  };
  const pipeline = new Pipeline({
    spec: SPEC,
    store: {
      lease,
      openOutbox: async () => {
        await world.openOutbox();
        world.sessions++;
        const start = world.position === null ? { lower: markOf(3, 0) } : { position: world.position };
        const save = async (position: Position) => {
          await world.save();
          world.position = position;
        };
        const deadLetters = { keep: () => Promise.resolve(), count: () => Promise.resolve(0) };
        const next = () => Promise.resolve((world.looks++, null));
        return { source: outbox, start, offsets: { save }, deadLetters, retries: { ...NO_RETRIES, next } };
      },
      report: (_epoch, { state, code }) =>
        Promise.resolve(
          void world.states.push(code !== null && state === "running" ? `${state}: ${code}` : state),
        ),
    },
    preparer: { prepare: (spec) => world.prepare(spec).then(() => preparedOf(world)) },
    clock,
    log: SILENT,
    leaseMs: LEASE_MS,
    drainMs: DRAIN_MS,
  });
  const pass = (ms: number) => clock.run(clock.sleep(ms));
  return { clock, outbox, world, pipeline, pass };
}

/** A configuration that leaves pages as they are, with what a test has put in its place. */
function preparedOf({ readings, reread, open }: Pick<Prepared, "readings" | "reread" | "open">): Prepared {
  return {
    transform: (page) => ({ page, origin: null, rejected: [] }),
    route: (page) => ({ page: { ...page, ...recordsOf(page) }, origin: null, rejected: [] }),
    retry: { initialMs: 100, maxMs: 1_000, maxAttempts: 3 },
    pollIntervalMs: 100,
    deadLettersMax: 1_000,
    readings,
    reread,
    open,
  };
}

function opened(sink: Sink): Plugins {
  return {
    sink,
    format: null,
    notice: null,
    reconfigure: () => Promise.resolve({ kind: "taken" }),
    close: () => Promise.resolve(),
  };
}

function publish(outbox: FakeOutbox): number {
  const xid = outbox.begin();
  const id = outbox.publish(xid);
  outbox.commit(xid);
  return id;
}

/** A sink that answers every page with a fault. */
function failingSink(fault: Fault): Sink {
  return {
    ...instantSink(),
    deliver: () => Promise.resolve({ delivered: Uint32Array.of(), rejected: [], failed: [], fault }),
    recover: () => Promise.resolve(fault),
  };
}

Deno.test("Pipeline delivers, saves and gives up its lease when it is stopped", async () => {
  const { world, outbox, pipeline, pass, clock } = setup();
  pipeline.start();
  const id = publish(outbox);
  await pass(1_000);
  assert.equal(world.position?.lastId, id);
  assert.equal(world.holder, "us");
  await clock.run(pipeline.stop());
  assert.equal(world.holder, null);
  assert.deepEqual(world.states, ["starting", "running"]);
});

Deno.test("Pipeline looks for dead letters to send again when it is told and has a session, and not otherwise", async () => {
  const { world, pipeline, pass, clock } = setup();
  world.holder = "another relay";
  pipeline.start();
  await pass(100);
  pipeline.resend();
  world.holder = null;
  pipeline.poke();
  await pass(1_000);
  assert.equal(world.looks, 0);
  pipeline.resend();
  await pass(100);
  assert.equal(world.looks, 1);
  await clock.run(pipeline.stop());
  pipeline.resend();
  await pass(100);
  assert.equal(world.looks, 1);
});

Deno.test("Pipeline takes a lease over at once when it is told that one may be free", async () => {
  const { world, pipeline, pass, clock } = setup();
  world.holder = "another relay";
  pipeline.start();
  await pass(100);
  world.holder = null;
  pipeline.poke();
  await pass(10);
  assert.equal(world.holder, "us");
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline takes a lease over within a third of its time when nobody tells", async () => {
  const { world, pipeline, pass, clock } = setup();
  world.holder = "another relay";
  pipeline.start();
  await pass(100);
  world.holder = null;
  await pass(LEASE_MS / 3 - 200);
  assert.equal(world.holder, null);
  await pass(200);
  assert.equal(world.holder, "us");
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline stays blocked in sight while it is tried again, and goes on by itself", async () => {
  const { world, pipeline, pass, clock } = setup();
  const refusal = new UserError("Cannot use the configuration", {
    code: "CONFIGURATION",
    advice: "Correct it.",
    exitCode: EXIT.usage,
  });
  world.prepare = () => Promise.reject(refusal);
  pipeline.start();
  await pass(5 * LIMITS.blockedRetryMs);
  assert.deepEqual(world.states, ["starting", "blocked"]);
  world.prepare = () => Promise.resolve();
  await pass(LIMITS.blockedRetryMs);
  assert.deepEqual(world.states, ["starting", "blocked", "running"]);
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline tries a changed configuration at once, and shows that", async () => {
  const { world, pipeline, pass, clock } = setup();
  world.prepare = (spec) =>
    spec.revision === 2 ? Promise.resolve() : Promise.reject(
      new UserError("Cannot use the configuration", { code: "C", advice: "", exitCode: EXIT.usage }),
    );
  pipeline.start();
  await pass(100);
  pipeline.update({ ...SPEC, revision: 2 });
  await pass(100);
  pipeline.update({ ...SPEC, revision: 3 });
  await pass(100);
  assert.deepEqual(world.states, ["starting", "blocked", "starting", "running", "starting", "blocked"]);
  await clock.run(pipeline.stop());
});

for (
  const [state, fault] of [
    ["waiting", unavailable("DOWN", "the broker is down")],
    ["blocked", misconfigured("TOPIC", "there is no topic", "Create it.")],
  ] as const
) {
  Deno.test(`Pipeline puts a change in force at once while its sink is ${state}`, async () => {
    const { world, outbox, pipeline, pass, clock } = setup();
    world.open = () => Promise.resolve(opened(failingSink(fault)));
    pipeline.start();
    // More than fits in flight, so that reading is held up as well.
    for (let i = 0; i < 20; i++) {
      publish(outbox);
      await pass(50);
    }
    assert.equal(world.states.at(-1), state);
    world.open = () => Promise.resolve(opened(instantSink()));
    pipeline.update({ ...SPEC, revision: 2 });
    await pass(500);
    assert.equal(world.sessions, 2);
    assert.equal(world.position?.lastId, 20);
    await clock.run(pipeline.stop());
  });
}

Deno.test("Pipeline reads its files again before it opens a sink again", async () => {
  const { world, pipeline, pass, clock } = setup();
  let prepared = 0;
  world.prepare = () => Promise.resolve(void prepared++);
  const refusal = misconfigured("PASSWORD", "it is wrong", "Correct it.");
  world.open = () => Promise.resolve(prepared < 3 ? { fault: refusal } : opened(instantSink()));
  pipeline.start();
  await pass(3 * LIMITS.blockedRetryMs);
  assert.deepEqual([world.states, prepared, world.sessions], [["starting", "blocked", "running"], 3, 1]);
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline offers its running sink what a file holds now, and warns while the sink refuses that", async () => {
  const { world, outbox, pipeline, pass, clock } = setup();
  const offers: unknown[] = [];
  const refusal = misconfigured("PASSWORD", "it is wrong", "Correct it.");
  const reconfigure: Plugins["reconfigure"] = ({ password }) => {
    offers.push(password);
    return Promise.resolve(password === "good" ? { kind: "taken" } : { kind: "refused", fault: refusal });
  };
  let password = "old";
  world.open = () => Promise.resolve({ ...opened(instantSink()), notice: "Mind the gap", reconfigure });
  world.readings = { sink: { password }, rest: "" };
  world.reread = () => Promise.resolve({ sink: { password }, rest: "" });
  pipeline.start();
  for (password of ["bad", "good"]) {
    await pass(4 * LIMITS.filesPollMs);
    const id = publish(outbox);
    await pass(500);
    assert.equal(world.position?.lastId, id, "messages are delivered all the while");
  }
  const notice = "running: SINK_NOTICE";
  assert.deepEqual(world.states, ["starting", notice, "running: PASSWORD", notice]);
  assert.deepEqual([offers, world.sessions], [["bad", "good"], 1]);
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline begins anew when a file holds something that its sink cannot take while it runs", async () => {
  const { world, outbox, pipeline, pass, clock } = setup();
  let rest = "old";
  world.readings = { sink: {}, rest };
  world.reread = () => Promise.resolve({ sink: {}, rest });
  pipeline.start();
  const id = publish(outbox);
  await pass(500);
  rest = "new";
  world.readings = { sink: {}, rest };
  await pass(3 * LIMITS.filesPollMs);
  assert.deepEqual([world.sessions, world.position?.lastId, world.states], [2, id, ["starting", "running"]]);
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline does not wait for plugins that are still opening when it is stopped", async () => {
  const { world, pipeline, pass, clock } = setup();
  const opening = Promise.withResolvers<OpenedPlugins>();
  let closed = 0;
  world.open = () => opening.promise;
  pipeline.start();
  await pass(100);
  const startedMs = clock.monotonic();
  await clock.run(pipeline.stop());
  assert.ok(clock.monotonic() - startedMs < 100);
  assert.equal(world.holder, null);
  opening.resolve({ ...opened(instantSink()), close: () => Promise.resolve(void closed++) } as OpenedPlugins);
  await pass(10);
  assert.equal(closed, 1, "what opened too late is closed");
});

Deno.test("Pipeline works under a new lease only after its save was fenced, also during a drain", async () => {
  const { world, outbox, pipeline, pass, clock } = setup();
  pipeline.start();
  publish(outbox);
  await pass(500);
  world.save = async () => {
    await clock.sleep(50);
    world.holder = "another relay";
    throw new FencedError("the lease is lost");
  };
  publish(outbox);
  await pass(20);
  pipeline.update({ ...SPEC, revision: 2 });
  await pass(5_000);
  assert.equal(world.sessions, 1, "no session without a lease");
  world.save = () => Promise.resolve();
  world.holder = null;
  await pass(LEASE_MS);
  assert.deepEqual([world.sessions, world.epoch], [2, 2]);
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline waits out an outage of the database", async () => {
  const { world, pipeline, pass, clock } = setup();
  world.openOutbox = () => Promise.reject(new SourceError("PostgreSQL did not answer"));
  pipeline.start();
  await pass(60_000);
  assert.deepEqual(world.states, ["starting", "waiting"]);
  world.openOutbox = () => Promise.resolve();
  await pass(15_000);
  assert.deepEqual(world.states, ["starting", "waiting", "running"]);
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline goes on at once when it is told that the database may be back", async () => {
  const { world, pipeline, pass, clock } = setup();
  world.openOutbox = () => Promise.reject(new SourceError("PostgreSQL did not answer"));
  pipeline.start();
  await pass(60_000);
  world.openOutbox = () => Promise.resolve();
  pipeline.poke();
  await pass(10);
  assert.equal(world.states.at(-1), "running");
  await clock.run(pipeline.stop());
});

Deno.test("Pipeline stops after a broken invariant until its configuration changes", async () => {
  const { world, outbox, pipeline, pass, clock } = setup();
  const run = outbox.run.bind(outbox);
  outbox.run = () => Promise.reject(new InvariantError("Broken invariant: so it is"));
  pipeline.start();
  publish(outbox);
  await pass(600_000);
  assert.deepEqual([world.states, world.sessions], [["starting", "running", "stopped"], 1]);
  outbox.run = run;
  pipeline.update({ ...SPEC, revision: 2 });
  await pass(1_000);
  assert.equal(world.states.at(-1), "running");
  assert.equal(world.position?.lastId, 1);
  await clock.run(pipeline.stop());
});
