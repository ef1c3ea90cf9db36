import { strict as assert } from "node:assert";
import { hostilePlugins } from "../permissions/hostile_plugins.ts";
import { assertHeld, withPrey, writePlugin } from "../permissions/prey.ts";
import { pgTide } from "./deployment.ts";

/** Plugins that one process loads side by side: each has a Worker. */
const AT_ONCE = 12;

/** What each plugin says of itself, or why it cannot be used, by name. */
async function outcomesOf(references: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const flags = references.flatMap((reference) => ["--plugin", reference]);
  const { out, err } = await pgTide(["plugin", "list", "--json", ...flags]);
  assert.notEqual(out, "", err);
  const { plugins, failed } = JSON.parse(out) as {
    readonly plugins: readonly { readonly name: string; readonly summary: string }[];
    readonly failed: readonly { readonly name: string; readonly error: string }[];
  };
  return new Map([
    ...plugins.map(({ name, summary }): [string, string] => [name, summary]),
    ...failed.map(({ name, error }): [string, string] => [name, error]),
  ]);
}

Deno.test("a hostile plugin gets nothing out of the compiled program, whichever way it tries", async (t) => {
  await withPrey(async (prey, folder) => {
    const plugins = hostilePlugins(prey);
    assert.ok(plugins.length > 100, `only ${plugins.length} ways are tried`);
    for (let start = 0; start < plugins.length; start += AT_ONCE) {
      const some = plugins.slice(start, start + AT_ONCE);
      const references = await Promise.all(some.map((plugin) => writePlugin(plugin, folder)));
      const outcomes = await outcomesOf(references);
      for (const plugin of some) {
        await t.step(
          plugin.name,
          () => assertHeld(plugin, outcomes.get(plugin.name) ?? "breach: not listed"),
        );
      }
    }
  });
});
