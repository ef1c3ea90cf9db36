import assert from "node:assert/strict";
import { join } from "node:path";
import { type Clock, SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import { type PluginCatalog, PluginLoading } from "../../src/host/mod.ts";
import { delivering } from "./plugin_workshop.ts";

const SOURCES: Readonly<Record<string, string>> = {
  good: delivering("good", "return sdk.delivered(page.count);"),
  loops: "for (;;) {}",
  throws: `throw new Error("no luck today");`,
};

/** On which a plugin that never starts is given up five times sooner, and well-behaved ones are waited for as long as ever. */
const CLOCK: Clock = {
  ...SYSTEM_CLOCK,
  sleep: (ms, signal) => SYSTEM_CLOCK.sleep(ms >= 30_000 ? ms / 5 : ms, signal),
};

/** Start to load these plugins. */
async function withPlugins(names: readonly string[], test: (loading: PluginLoading) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    const external = await Promise.all(names.map(async (name) => {
      const file = join(folder, `${name}.js`);
      await Deno.writeTextFile(file, SOURCES[name]!);
      return `${name}=file:${file}`;
    }));
    await test(new PluginLoading({ builtIn: [], external, clock: CLOCK, log: SILENT }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = ({ plugins }: PluginCatalog) => plugins.map(({ description }) => description.name);
const failures = (catalog: PluginCatalog) => catalog.failures.map(({ name }) => name);

Deno.test("PluginLoading waits for a plugin that loops no longer than for one that behaves", async () => {
  await withPlugins(["good", "loops", "throws"], async (loading) => {
    const loaded: string[] = [];
    const looping = loading.catalogFor({ sink_type: "loops" });
    await loading.whenLoaded((catalog) => {
      loaded.push(...names(catalog), ...failures(catalog));
      return Promise.resolve();
    });
    assert.deepEqual(loaded.toSorted(), ["good", "throws"]);
    assert.deepEqual(names(await loading.catalogFor({ sink_type: "good", wire_format: null })), ["good"]);
    assert.deepEqual(names(await loading.catalogFor({ sink_type: "stdout" })), []);
    assert.deepEqual(failures(await loading.catalogFor({ sink_type: "throws" })), ["throws"]);
    const { plugins, failures: [failure] } = await looping;
    assert.deepEqual(plugins, []);
    assert.match(failure!.error.message, /Plugin "loops" did not start within 30 s/);
    assert.deepEqual(loaded.toSorted(), ["good", "loops", "throws"], "told in the end");
  });
});

Deno.test("PluginLoading refuses a second plugin of a name", async () => {
  await withPlugins(["good", "good"], async (loading) => {
    const catalog = await loading.catalogFor({ sink_type: "good" });
    assert.deepEqual([names(catalog), failures(catalog)], [["good"], ["good"]]);
    assert.match(catalog.failures[0]!.error.message, /there is a sink of that name already/);
  });
});
