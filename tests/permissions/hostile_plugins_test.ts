import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import { loadCatalog } from "../../src/host/mod.ts";
import { type HostilePlugin, hostilePlugins } from "./hostile_plugins.ts";
import { assertHeld, withPrey, writePlugin } from "./prey.ts";

/** What a plugin says of itself, or why it cannot be used. */
async function outcomeOf(plugin: HostilePlugin, folder: string): Promise<string> {
  const external = [await writePlugin(plugin, folder)];
  const catalog = await loadCatalog({ builtIn: [], external, clock: SYSTEM_CLOCK, log: SILENT });
  return catalog.plugins[0]?.description.summary ?? catalog.failures[0]!.error.message;
}

Deno.test("a hostile plugin gets nothing, whichever way it tries", async (t) => {
  await withPrey(async (prey, folder) => {
    for (const plugin of hostilePlugins(prey)) {
      await t.step(plugin.name, async () => assertHeld(plugin, await outcomeOf(plugin, folder)));
    }
  });
});
