import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import { loadCatalog } from "../../src/host/mod.ts";
import { type HostilePlugin, hostilePlugins, type Prey } from "./hostile_plugins.ts";

const SECRET = "the secret of this machine";

/** Files with secrets, and a server that counts who comes. */
async function withPrey(test: (prey: Prey, folder: string) => Promise<void>): Promise<number> {
  const folder = await Deno.makeTempDir();
  const path = (name: string) => join(folder, name);
  const url = (name: string) => pathToFileURL(path(name)).href;
  await Deno.writeTextFile(path("secret.js"), `export default ${JSON.stringify(SECRET)};`);
  await Deno.writeTextFile(path("secret.json"), JSON.stringify({ secret: SECRET }));
  await Deno.writeTextFile(path("secret.txt"), `x=${SECRET}`);
  let visits = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    visits++;
    return new Response(SECRET);
  });
  const { port } = server.addr;
  try {
    const files = { script: url("secret.js"), json: url("secret.json"), text: url("secret.txt") };
    await test({ ...files, path: path("secret.txt"), host: "127.0.0.1", port }, folder);
    return visits;
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

async function outcomeOf({ name, source }: HostilePlugin, folder: string): Promise<string> {
  const file = join(folder, `${name}.js`);
  await Deno.writeTextFile(file, source);
  const options = { builtIn: [], external: [`${name}=file:${file}`], clock: SYSTEM_CLOCK, log: SILENT };
  const { plugins, failures } = await loadCatalog(options);
  return plugins[0]?.description.summary ?? failures[0]!.error.message;
}

Deno.test("a hostile plugin gets nothing, whichever way it tries", async (t) => {
  const visits = await withPrey(async (prey, folder) => {
    for (const plugin of hostilePlugins(prey)) {
      await t.step(plugin.name, async () => {
        const outcome = await outcomeOf(plugin, folder);
        assert.ok(!outcome.includes(SECRET), outcome);
        if (plugin.end === "held") assert.match(outcome, /^held: /);
        else assert.match(outcome, "refused" in plugin.end ? plugin.end.refused : plugin.end.noticed);
      });
    }
  });
  assert.equal(visits, 0, "a host was reached that was not granted");
});
