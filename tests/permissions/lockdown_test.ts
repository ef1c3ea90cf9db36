import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import { noGrant } from "../../src/host/grant.ts";
import { WorkerHost } from "../../src/host/worker_host.ts";
import { screenSource } from "../../src/host/screen.ts";
import { hostilePlugins } from "./hostile_plugins.ts";

/** Attempts that make code, in a Worker without any permission, where nothing was taken away. */
const REAL = [
  "eval_direct",
  "eval_indirect",
  "function_global",
  "function_of_prototype",
  "function_of_async",
  "function_of_generator",
  "function_of_async_generator",
  "function_of_class",
  "function_of_bound",
  "function_by_reflect",
  "nested_worker",
];

Deno.test("lockdown holds attacks that get through where nothing is taken away", async (t) => {
  const folder = await Deno.makeTempDir();
  const script = `${folder}/secret.js`;
  await Deno.writeTextFile(script, `export default "the secret";`);
  const prey = { script: `file://${script}`, json: "", text: "", path: "", host: "127.0.0.1", port: 9 };
  const plugins = new Map(hostilePlugins(prey).map((plugin) => [plugin.name, plugin]));
  try {
    for (const name of REAL) {
      await t.step(name, async () => {
        const { source } = plugins.get(name)!;
        const { module } = screenSource(name, new TextEncoder().encode(source));
        const summary = async (first: string) => {
          const entry = { url: import.meta.resolve(first), load: module };
          const options = { plugin: name, entry, grant: noGrant(), clock: SYSTEM_CLOCK, log: SILENT };
          const host = await WorkerHost.start(options);
          host.terminate();
          return host.description.summary;
        };
        assert.match(await summary("./unlocked.ts"), /^breach: /);
        assert.match(await summary("../../src/host/lockdown.ts"), /^held: /);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
