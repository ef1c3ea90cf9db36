import assert from "node:assert/strict";
import { clockUses, machineUses } from "./ambient.ts";
import { assertTidy, sourceTree, typeScript } from "./source_tree.ts";
import { type Finding, unexcused, type Waivers } from "./waivers.ts";

const PRODUCT = ["main.ts", "src/", "plugins/"];

const CLOCKS: Waivers = {
  "src/base/clock.ts Date.now": "the clock itself",
  "src/base/clock.ts performance": "the clock itself",
  "src/base/clock.ts Math.random": "the clock itself",
  "src/base/clock.ts setTimeout": "the clock itself",
  "src/host/plugin_source.ts AbortSignal.timeout":
    "bounds a download at start, before there is a pipeline to simulate",
  "plugins/sink_kafka/clock.ts Date.now": "the sink's own clock: the SDK gives a Worker none",
  "plugins/sink_kafka/clock.ts performance": "the sink's own clock",
  "plugins/sink_kafka/clock.ts Math.random": "the sink's own clock",
  "plugins/sink_kafka/clock.ts setTimeout": "the sink's own clock",
  "plugins/sdk/progress_post.ts setTimeout": "the Worker's side of the contract has no clock of the kernel's",
};

const MACHINE: Waivers = {
  "src/host/worker_host.ts Worker": "the host starts Workers",
  "src/host/plugin_source.ts fetch": "the operator may name a plugin by its URL",
  "src/host/lockdown.ts process": "takes it away from external plugins",
  "src/config/interpolate.ts Deno.env": "MACHINE_PORTS, which the relay and `plugin test` pass in",
  "src/config/interpolate.ts Deno.readTextFile": "MACHINE_PORTS, which the relay and `plugin test` pass in",
  "src/config/interpolate.ts Deno.realPath": "MACHINE_PORTS, which the relay and `plugin test` pass in",
  "plugins/sink_kafka/environment.ts process": "takes the environment away from the libraries",
  "plugins/sink_stdout/worker.ts Deno.stdout": "what this sink is for; it needs no permission",
};

Deno.test("time and chance come from src/base/clock.ts", async () => {
  assertTidy(unexcused(clockUses(typeScript(await sourceTree(), PRODUCT)), CLOCKS));
});

Deno.test("the machine and the network are reached from the rooms at the edge", async () => {
  assertTidy(unexcused(machineUses(typeScript(await sourceTree(), PRODUCT)), MACHINE));
});

const powers = (findings: readonly Finding[]) =>
  findings.map(({ subject }) => subject.slice(subject.indexOf(" ") + 1));

Deno.test("clockUses() finds clocks and dice however they are reached, and no names that look like them", () => {
  const text = `const t: ReturnType<typeof setTimeout> = setTimeout(f, 1);
const a = [Date.now(), new Date(), performance.now(), globalThis.setInterval, Math.random];
const wait = { setTimeout };
const u = crypto.randomUUID();
await fetchIt({ signal: AbortSignal.timeout(5) });
// Date.now()
const fine = [new Date(0), "Math.random()", clock.performance, { setTimeout: 1 }, Math.max(1)];
interface Port { setTimeout(): void; performance: number }
`;
  const expected = "setTimeout, Date.now, new Date(), performance, setInterval, Math.random, setTimeout, " +
    "crypto.randomUUID, AbortSignal.timeout";
  assert.equal(powers(clockUses([{ path: "src/read/a.ts", text }])).join(", "), expected);
});

Deno.test("machineUses() finds what a stage may not reach, and leaves Deno to the edge", () => {
  const text =
    `Deno.env.get("X"); fetch("http://a"); new Worker("w"); console.log(1); globalThis.process.exit();
if (error instanceof Deno.errors.NotFound) f(plan.fetch, { Worker: 1 });
const all = Deno;
`;
  const found = (path: string) => powers(machineUses([{ path, text }])).join(", ");
  assert.equal(found("src/read/a.ts"), "Deno.env, fetch, Worker, console, process, Deno");
  assert.equal(found("src/cli/a.ts"), "fetch, Worker, console, process, Deno");
});
