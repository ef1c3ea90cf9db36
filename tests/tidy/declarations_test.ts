import type { Json, PluginDescription } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { REGISTRY } from "../../plugins/registry.ts";
import { main } from "../../src/cli/main.ts";
import { SETTING_FIELDS } from "../../src/config/flags.ts";
import { KERNEL_DESCRIPTION, KERNEL_FIELDS } from "../../src/config/kernel_fields.ts";
import { README } from "../support/readme.ts";
import { declared, inHelp, inReadme, inSchema, inScript } from "./declarations.ts";

/** What the program prints for a command line. */
async function printed(...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  assert.equal(await main(args, { out: write, err: write }), 0, lines.join("\n"));
  return lines.join("\n");
}

const PLUGINS = REGISTRY.map(({ description }) => description);
const readme = () => Deno.readTextFile(README);

/** A plugin's fields under the names by which a pipeline sets them. */
function inPipeline({ kind, fields }: PluginDescription) {
  return fields.map((field) => kind === "sink" ? field : { ...field, name: `wire_config.${field.name}` });
}

Deno.test("the README's tables show every field as it is declared", async () => {
  const text = await readme();
  assert.deepEqual(inReadme(text, "pipeline-fields"), KERNEL_FIELDS.map(declared));
  assert.deepEqual(inReadme(text, "plugin-fields"), PLUGINS.flatMap(inPipeline).map(declared));
});

Deno.test("the README and --help show every setting as it is declared", async () => {
  const settings = SETTING_FIELDS.map(declared);
  const underscored = inReadme(await readme(), "settings")
    .map((field) => ({ ...field, name: field.name.replaceAll("-", "_") }));
  assert.deepEqual(underscored, settings);
  // An empty list is no default to show.
  const shown = settings.map(({ name, default: preset }) => ({
    name,
    default: preset === "[]" ? "null" : preset,
  }));
  assert.deepEqual(inHelp(await printed("--help")), shown);
  assert.deepEqual(inHelp(await printed("run", "--help")), shown);
});

Deno.test("the JSON Schema of every plugin has every field as it is declared", async () => {
  for (const plugin of PLUGINS) {
    const schema = JSON.parse(await printed("plugin", "inspect", plugin.name, "--schema"));
    const own = plugin.fields.map(({ name }) => name);
    const kernel = plugin.kind === "sink" ? KERNEL_FIELDS.filter(({ name }) => !own.includes(name)) : [];
    const byName = (a: { name: string }, b: { name: string }) => a.name < b.name ? -1 : 1;
    assert.deepEqual(
      inSchema(schema).toSorted(byName),
      [...kernel, ...plugin.fields].map(declared).toSorted(byName),
    );
  }
});

Deno.test("plugin inspect --json has every field as it is declared", async () => {
  for (const { name, kind, contract, fields, permissions } of PLUGINS) {
    const shown = JSON.parse(await printed("plugin", "inspect", name, "--json"));
    assert.deepEqual([shown.name, shown.kind, shown.contract, shown.permissions], [
      name,
      kind,
      contract,
      permissions,
    ]);
    const withDefaults = fields.map((field) => ({ ...field, default: field.default ?? null }));
    assert.deepEqual(shown.fields, withDefaults);
  }
});

Deno.test("an installation writes the kernel's fields and every plugin's into tide.plugin", async () => {
  const rows = inScript(await printed("install", "--print"));
  const expected = [KERNEL_DESCRIPTION, ...PLUGINS].map(
    (one: PluginDescription | typeof KERNEL_DESCRIPTION) => {
      const { kind, name, contract, summary, fields, rules = [] } = one;
      return { kind, name, contract, summary, fields, rules };
    },
  );
  assert.deepEqual(rows, JSON.parse(JSON.stringify(expected)) as Json);
});

const FIELD = { name: "retry.max", type: "integer", default: 3, doc: "Most, or \\|.", min: 1 } as const;

Deno.test("inReadme() reads a default with a bar in it, and finds what differs", () => {
  const table = (preset: string) =>
    `<!-- generated: x -->\n| Field | Type | Default | Description |\n| --- | --- | --- | --- |\n` +
    `| \`retry.max\` | integer | ${preset} | Most, or \\|. |\n<!-- end -->`;
  assert.deepEqual(inReadme(table("`3`"), "x"), [declared(FIELD)]);
  assert.deepEqual(inReadme(table('`"a\\|b"`'), "x"), [{ ...declared(FIELD), default: '"a|b"' }]);
  assert.deepEqual(inReadme(table("required"), "x"), [declared({ ...FIELD, required: true })]);
  assert.deepEqual(inReadme(table("`3`"), "y"), []);
});

Deno.test("inSchema() reads nested fields, and types apart from each other", () => {
  const schema = {
    required: ["a"],
    properties: {
      a: { description: "", type: "string" },
      b: { description: "", type: ["object", "null"], additionalProperties: { type: "string" } },
      retry: { properties: { max: { description: "", type: ["integer", "null"], default: 3 } } },
    },
  };
  assert.deepEqual(inSchema(schema).map(({ name, type, default: preset }) => `${name} ${type} ${preset}`), [
    "a string required",
    "b string_map null",
    "retry.max integer 3",
  ]);
});

Deno.test("inHelp() reads options that are broken over lines, and leaves out those that are no settings", () => {
  const help = `Usage: x\n\nOptions:\n  -V, --version  output (env X)\n  --lease-ms <n>       How long.\n` +
    `                       (default 5, env PG_TIDE_LEASE_MS)\n  --plugin <x>  A plugin. (env PG_TIDE_PLUGIN)\n\nCommands:\n`;
  assert.deepEqual(inHelp(help), [{ name: "lease_ms", default: "5" }, { name: "plugin", default: "null" }]);
});

Deno.test("inScript() reads a text with quotes, and gives nothing where nothing is", () => {
  const script = `FROM pg_catalog.jsonb_to_recordset(('[{"doc": "it''s"}]'::text)::jsonb)`;
  assert.deepEqual(inScript(script), [{ doc: "it's" }]);
  assert.deepEqual(inScript("SELECT 1"), []);
});
