import assert from "node:assert/strict";
import { join } from "node:path";
import { pluginInspect, pluginList, pluginTest } from "../../src/cli/plugin.ts";
import { resolveSettings, type Settings } from "../../src/config/settings.ts";
import { UserError } from "../../src/base/errors.ts";

const COUNTER = `import { defineSink, delivered } from "@pg-tide/sdk";
defineSink({
  name: "counter", summary: "Counts", permissions: { net: ["{url}"] },
  fields: [{ name: "url", type: "string", doc: "Where to", required: true }, { name: "size", type: "integer", doc: "How many", default: 3 }],
  open: async () => ({ deliver: async (page) => delivered(page.count), close: async () => {} }),
});`;

const CARELESS = `import { defineSink, delivered } from "@pg-tide/sdk";
defineSink({ name: "careless", summary: "", fields: [], permissions: {}, open: async () => ({
  deliver: async (page) => delivered(Math.min(page.count, 10)), close: async () => {},
}) });`;

const UPPER = `import { defineFormat, columnOf, textAt } from "@pg-tide/sdk";
defineFormat({ name: "upper", summary: "", fields: [], permissions: {}, open: () => ({ encode: (page) => {
  const { count, ids, createdMs, topics, topic, key, headers, payload } = page;
  const value = columnOf(Array.from({ length: count }, (_, i) => textAt(payload, i).toUpperCase()));
  const messageIndex = Uint32Array.from({ length: count }, (_, i) => i);
  return { page: { count, ids, createdMs, topics, topic, key, value, headers }, messageIndex, rejected: [] };
} }) });`;

/** Run a command with a file of this source; gives its exit code and lines. */
async function withPlugin(
  source: string,
  run: (file: string, output: { out(line: string): void; err(line: string): void }) => Promise<number>,
) {
  const folder = await Deno.makeTempDir();
  const out: string[] = [];
  const err: string[] = [];
  try {
    const file = join(folder, "plugin.js");
    await Deno.writeTextFile(file, source);
    const code = await run(file, { out: (line) => out.push(line), err: (line) => err.push(line) });
    return { code, out, err };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function settings(...plugin: string[]): Settings {
  const resolved = resolveSettings({ flags: { plugin }, env: {}, fileText: null });
  assert.deepEqual(resolved.problems, []);
  return resolved.settings!;
}

Deno.test("pluginTest() passes a sound sink", async () => {
  const { code, out } = await withPlugin(
    COUNTER,
    (file, output) => pluginTest(settings(), file, { set: `{"url":"http://127.0.0.1:9"}` }, output),
  );
  assert.equal(code, 0, out.join("\n"));
  assert.match(out.at(-1)!, /^[1-9]\d* passed, 0 failed$/);
});

Deno.test("pluginTest() passes a sound format", async () => {
  const { code, out } = await withPlugin(UPPER, (file, output) => pluginTest(settings(), file, {}, output));
  assert.equal(code, 0, out.join("\n"));
});

Deno.test("pluginTest() names the case that a careless sink fails", async () => {
  const { code, out } = await withPlugin(
    CARELESS,
    (file, output) => pluginTest(settings(), file, {}, output),
  );
  assert.equal(code, 1);
  const text = out.join("\n");
  assert.match(text, /FAIL {2}answers for every record of a page\n.*990 of 1000 records have no outcome/);
  assert.match(text, /ok {4}answers for a single record/);
});

/** Takes a whole page for gone when one record names a partition that there is none of. */
const HASTY = `import { AnswerBuilder, defineSink } from "@pg-tide/sdk";
defineSink({ name: "hasty", summary: "", fields: [], permissions: {}, partitions: true, open: async () => ({
  deliver: async (page) => {
    const answer = new AnswerBuilder(page.count);
    const wrong = page.partition?.some((partition) => partition > 7);
    for (let i = 0; i < page.count; i++) wrong ? answer.reject(i, "GONE", "gone") : answer.deliver(i);
    return answer.build();
  },
  close: async () => {},
}) });`;

Deno.test("pluginTest() gives partitions to a sink that says that it has some, and to no other", async () => {
  const run = (source: string) =>
    withPlugin(source, (file, output) => pluginTest(settings(), file, {}, output));
  const hasty = await run(HASTY);
  assert.equal(hasty.code, 1);
  assert.match(
    hasty.out.join("\n"),
    /FAIL {2}answers for a record that names a partition .*\n.*Record 0 names a partition that there is, and was rejected/,
  );
  assert.match(hasty.out.at(-1)!, /^\d+ passed, 1 failed$/);
  const modest = await run(HASTY.replace("partitions: true, ", ""));
  assert.equal(modest.code, 0, modest.out.join("\n"));
  assert.doesNotMatch(modest.out.join("\n"), /partition/);
});

Deno.test("pluginTest() names what is wrong with the configuration, the file or the source", async () => {
  const rejects = async (source: string, set: string, pattern: RegExp) => {
    await assert.rejects(
      withPlugin(source, (file, output) => pluginTest(settings(), file, { set }, output)),
      (error) => error instanceof UserError && error.exitCode === 2 && pattern.test(error.message),
    );
  };
  await rejects(COUNTER, "{}", /url/);
  await rejects(COUNTER, `{"url":"x:1","size":"3"}`, /size/);
  await rejects(COUNTER, `["secret"]`, /^Cannot use --set: it is not a JSON object$/);
  await rejects(
    COUNTER.replace('"size"', '"retry.initial_ms"'),
    "{}",
    /field retry\.initial_ms is one of the relay's own/,
  );
  await rejects("import 'node:fs'", "{}", /line 1: "node:fs" may not be imported/);
});

Deno.test("pluginInspect() shows fields and permissions", async () => {
  const { code, out } = await withPlugin(
    COUNTER,
    (file, output) => pluginInspect(settings(`counter=file:${file}`), "counter", { json: true }, output),
  );
  assert.equal(code, 0);
  const shown = JSON.parse(out.join(""));
  assert.equal(shown.name, "counter");
  assert.equal(shown.kind, "sink");
  assert.equal(shown.contract, 1);
  assert.deepEqual(shown.permissions, { net: ["{url}"] });
  const [url, size] = shown.fields;
  assert.deepEqual([url.name, url.type, url.default, url.doc], ["url", "string", null, "Where to"]);
  assert.deepEqual([size.name, size.default], ["size", 3]);
  const text = await withPlugin(
    COUNTER,
    (file, output) => pluginInspect(settings(`counter=file:${file}`), "counter", {}, output),
  );
  assert.match(text.out.join("\n"), /network: \{url\}[\s\S]*no environment variables/);
  assert.match(text.out.join("\n"), /Fields of every pipeline:[\s\S]* message_key /);
  assert.doesNotMatch(text.out.join("\n"), / {2}partition /, "it has none");
  const names: string[] = shown.pipeline_fields.map(({ name }: { name: string }) => name);
  assert.ok(names.includes("message_key") && !names.includes("partition"));
});

Deno.test("pluginInspect() names the nearest plugin, and what is wrong with one that fails", async () => {
  const inspect = (name: string, ...plugin: string[]) =>
    pluginInspect(settings(...plugin), name, {}, { out() {}, err() {} });
  await assert.rejects(inspect("stdoot"), { advice: /Did you mean "stdout"/ });
  await assert.rejects(inspect("mine", "mine=file:/does/not/exist.js"), /there is no such file/);
});

Deno.test("pluginList() lists what works, and names what does not", async () => {
  const { code, out, err } = await withPlugin(
    COUNTER,
    (file, output) =>
      pluginList(settings(`counter=file:${file}`, "lost=file:/does/not/exist.js"), { json: true }, output),
  );
  assert.equal(code, 1);
  const { plugins, failed } = JSON.parse(out.join(""));
  const names: string[] = plugins.map(({ name }: { name: string }) => name);
  assert.ok(["stdout", "json", "counter"].every((name) => names.includes(name)));
  assert.equal(failed[0].name, "lost");
  assert.match(err.join("\n"), /Cannot read plugin "lost"/);
});
