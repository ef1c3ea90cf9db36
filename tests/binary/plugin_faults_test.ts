import { strict as assert } from "node:assert";
import { join } from "node:path";
import { sharedPostgres } from "../support/postgres.ts";
import { Deployment, logs } from "./deployment.ts";
import { withFolder, writePlugin } from "./folder.ts";

/** The source of a sink whose `deliver` does this. */
function sink(name: string, deliver: string, opened = "{}"): string {
  return `import { defineSink, delivered } from "@pg-tide/sdk";
    defineSink({ name: ${JSON.stringify(name)}, summary: "", fields: [], permissions: {}, open: async () => ({
      opened: ${opened}, deliver: async (page) => { ${deliver} }, close: async () => {},
    }) });`;
}

/** Plugins that cannot be loaded: their source, undefined for no file, and what the log says. */
const UNUSABLE: Readonly<Record<string, readonly [source: string | undefined, says: RegExp]>> = {
  not_there: [
    undefined,
    /Cannot read plugin "not_there" from .*not_there\.js: there is no such file .*advice="Check where/,
  ],
  no_javascript: [
    "const = 1;",
    /Cannot load plugin "no_javascript": line 1: .*expected JavaScript.*advice="Bundle/,
  ],
  reads_files: [
    `import "node:fs";`,
    /Cannot load plugin "reads_files": line 1: "node:fs" may not be imported/,
  ],
  nonsense: [
    `import { defineSink } from "@pg-tide/sdk"; defineSink({ name: "nonsense", summary: 5, fields: "x", open() {} });`,
    /Plugin "nonsense" broke the plugin contract: description\.summary is not a text.*advice="Correct the plugin/,
  ],
  throws_early: [
    `throw new Error("no luck");`,
    /Plugin "throws_early" failed: Error: no luck.*advice="Correct the plugin/,
  ],
  exits_early: ["process.exit(3);", /Plugin "exits_early" failed: The plugin called process\.exit\(3\)/],
  loops_early: [
    "for (;;) {}",
    /Plugin "loops_early" did not start within 30 s.*advice="Correct the plugin.*loop/,
  ],
};

/** Sinks that fail when they deliver: their source, and the code and reason in the status of their pipeline. */
const FAULTY: Readonly<Record<string, readonly [source: string, code: string, reason: RegExp]>> = {
  throws: [sink("throws", `throw new RangeError("no luck");`), "PLUGIN_ERROR", /threw RangeError: no luck/],
  exits: [
    sink("exits", "process.exit(3); await new Promise(() => {});"),
    "PLUGIN_FAILED",
    /Plugin "exits" failed: The plugin called process\.exit\(3\)/,
  ],
  spins: [
    sink("spins", "for (;;) {}"),
    "PLUGIN_HUNG",
    /Plugin "spins" gave no sign of life for 10 s: it hangs, or has exited/,
  ],
  never_answers: [
    sink("never_answers", "await new Promise(() => {});", "{ answerWithinMs: 2000 }"),
    "PLUGIN_HUNG",
    /Plugin "never_answers" did not answer "deliver" within 2 s/,
  ],
  answers_nonsense: [
    sink("answers_nonsense", "return delivered(page.count + 1);"),
    "PLUGIN_PROTOCOL",
    /Plugin "answers_nonsense" broke the plugin contract: answer/,
  ],
};

Deno.test("bad plugins cost their own pipelines, are told by name, and leave the others alone", async (t) => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await deployment.addHealthy();
  await withFolder(async (folder) => {
    const flags = (await Promise.all([
      ...Object.entries(UNUSABLE).map(([name, [source]]) =>
        source === undefined
          ? ["--plugin", `${name}=file:${join(folder, name)}.js`]
          : writePlugin(folder, name, source)
      ),
      ...Object.entries(FAULTY).map(([name, [source]]) => writePlugin(folder, name, source)),
    ])).flat();
    // A page that is never answered is in flight when the relay stops.
    await using relay = await deployment.startRelay([...flags, "--drain-timeout-ms", "500"]);
    await deployment.healthyGoesOn(relay);
    for (const name of Object.keys(FAULTY)) {
      await deployment.addPipeline(name, { sink_type: name, topic: "t" });
      await deployment.publish(name, { n: 1 });
    }
    for (const [name, [, code, reason]] of Object.entries(FAULTY)) {
      await t.step(name, async () => {
        const error = await deployment.fails(name, "waiting");
        assert.equal(error.code, code);
        assert.match(error.reason, reason);
        assert.match(error.advice ?? "", /started again by itself.*correct the plugin/);
        assert.equal((await deployment.pipeline(name)).lag_messages, 1);
        assert.equal(await deployment.deadLetters(name), 0);
        await deployment.healthyGoesOn(relay);
      });
    }
    for (const [name, [, says]] of Object.entries(UNUSABLE)) {
      await t.step(name, async () => {
        await logs(relay, says);
        const { detail } = await deployment.refusalOf("throws", { sink_type: name, topic: "t" });
        assert.match(detail, new RegExp(`^sink_type: is "${name}", expected one of .*kafka, `));
        await deployment.healthyGoesOn(relay);
      });
    }
    assert.equal(await relay.stop(), 0);
  });
});

Deno.test("a plugin that no longer loads blocks its pipelines, which go on when it is mended", async () => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await deployment.addHealthy();
  await withFolder(async (folder) => {
    const good = sink("mine", "return delivered(page.count);");
    const startWith = async (source: string) =>
      await deployment.startRelay(["--lease-ms", "1000", ...await writePlugin(folder, "mine", source)]);
    {
      await using relay = await startWith(good);
      await deployment.addPipeline("mine", { sink_type: "mine", topic: "t" });
      await deployment.publish("mine", { n: 1 });
      await deployment.reaches("mine", "idle");
      assert.equal(await relay.stop(), 0);
    }
    await deployment.publish("mine", { n: 2 });
    {
      await using relay = await startWith(`throw new Error("no luck");`);
      const { code, reason, advice } = await deployment.fails("mine", "blocked");
      assert.equal(code, "CONFIGURATION");
      assert.equal(reason, 'Cannot use sink_type: Plugin "mine" failed: Error: no luck');
      assert.match(advice ?? "", /give the relay what it lacks and start it again/);
      await deployment.healthyGoesOn(relay);
      assert.equal(await relay.stop(), 0);
    }
    {
      await using relay = await deployment.startRelay(["--lease-ms", "1000"]);
      assert.match((await deployment.fails("mine", "blocked")).reason, /this relay has no "mine"/);
      assert.equal(await relay.stop(), 0);
    }
    await using relay = await startWith(good);
    await deployment.reaches("mine", "idle");
    assert.equal(await deployment.deadLetters("mine"), 0);
    assert.equal(await relay.stop(), 0);
  });
});
