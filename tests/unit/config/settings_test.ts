import assert from "node:assert/strict";
import { Command } from "commander";
import { SETTING_FIELDS } from "../../../src/config/flags.ts";
import { configPath, resolveSettings } from "../../../src/config/settings.ts";
import { addSettingOptions, givenSettings } from "../../../src/cli/options.ts";

const NOTHING = { flags: {}, env: {}, fileText: null };

function given(...args: readonly string[]): ReturnType<typeof givenSettings> {
  const command = addSettingOptions(new Command()).exitOverride().configureOutput({ writeErr() {} });
  command.parse(args, { from: "user" });
  return givenSettings(command);
}

Deno.test("resolveSettings() gives every default", () => {
  const { settings, problems } = resolveSettings(NOTHING);
  assert.deepEqual(problems, []);
  assert.deepEqual(settings, {
    postgresUrl: null,
    config: null,
    relayName: null,
    adopt: false,
    logLevel: "info",
    logFormat: "text",
    leaseMs: 10_000,
    drainTimeoutMs: 30_000,
    maxConnections: 8,
    plugin: [],
    pluginNet: [],
    allowEnv: ["KAFKA_*", "CONFLUENT_*", "SCHEMA_REGISTRY_*", "TIDE_SECRET_*"],
    allowFile: ["/etc/pg-tide/*", "/etc/certs/*", "/etc/ssl/*", "/run/secrets/*"],
  });
  assert.equal(Object.keys(settings!).length, SETTING_FIELDS.length);
});

Deno.test("resolveSettings() puts flags before environment before file", () => {
  const fileText =
    '{"lease_ms": 3000, "max_connections": 3, "log_level": "error", "plugin": ["a=file:./a.js"]}';
  const env = {
    PG_TIDE_LEASE_MS: "2000",
    PG_TIDE_MAX_CONNECTIONS: "4",
    PG_TIDE_LOG_FORMAT: "",
    PG_TIDE_ALLOW_ENV: "A_*, B",
  };
  const { settings, problems } = resolveSettings({ flags: given("--lease-ms", "5000"), env, fileText });
  assert.deepEqual(problems, []);
  assert.equal(settings!.leaseMs, 5_000);
  assert.equal(settings!.maxConnections, 4);
  assert.equal(settings!.logLevel, "error");
  assert.equal(settings!.logFormat, "text");
  assert.deepEqual(settings!.allowEnv, ["A_*", "B"]);
  assert.deepEqual(settings!.plugin, ["a=file:./a.js"]);
});

Deno.test("resolveSettings() adds up repeated flags", () => {
  const flags = given("--plugin", "a=file:./a.js", "--plugin", "b=https://h/b.js", "--allow-env", "A,B");
  const { settings } = resolveSettings({ ...NOTHING, flags });
  assert.deepEqual(settings!.plugin, ["a=file:./a.js", "b=https://h/b.js"]);
  assert.deepEqual(settings!.allowEnv, ["A", "B"]);
});

Deno.test("resolveSettings() reports all problems at once, each where it was written, and no secret", () => {
  const { settings, problems } = resolveSettings({
    flags: given("--lease-ms", "soon", "--postgres-url", "mysql://u:hunter2@h", "--plugin", "nonsense"),
    env: { PG_TIDE_MAX_CONNECTIONS: "1" },
    fileText: '{"log_levle": "info", "log_format": "xml", "config": "x"}',
  });
  assert.equal(settings, null);
  const messages = problems.map(({ message }) => message);
  assert.deepEqual(messages, [
    "Cannot use log_levle in the --config file: there is no such setting, did you mean log_level?",
    "Cannot use config in the --config file: there is no such setting, expected one of " +
    SETTING_FIELDS.map(({ name }) => name).filter((name) => name !== "config").join(", "),
    "Cannot use --postgres-url: a secret string, expected a URL such as postgresql://user:password@host:5432/database",
    'Cannot use log_format: "xml", expected "text" or "json"',
    'Cannot read --lease-ms: "soon", expected an integer',
    "Cannot use PG_TIDE_MAX_CONNECTIONS: 1, expected at least 2",
    'Cannot use --plugin: ["nonsense"], expected NAME=file:./plugin.js or NAME=https://host/plugin.js#sha256-…',
  ]);
});

Deno.test("resolveSettings() says what a command needs, and where it may be given", () => {
  assert.deepEqual(resolveSettings({ ...NOTHING, required: ["postgresUrl"] }).problems, [{
    field: "postgres_url",
    message:
      "Cannot start: postgres_url is not set, expected --postgres-url, PG_TIDE_POSTGRES_URL or postgres_url in the --config file",
  }]);
});

Deno.test("resolveSettings() refuses a file that is not a JSON object, without quoting it", () => {
  assert.match(
    resolveSettings({ ...NOTHING, fileText: "[]" }).problems[0]!.message,
    /expected a JSON object/,
  );
  const table = [['{\n"postgres_url": hunter2}', "unexpected token 'h'"], [
    '{"a": "hunter2" 5}',
    "position 16 (line 1 column 17)",
  ]];
  for (const [fileText, detail] of table) {
    const [problem] = resolveSettings({ ...NOTHING, fileText: fileText! }).problems;
    assert.equal(problem!.message, `Cannot read the --config file: it is not JSON (${detail})`);
  }
});

Deno.test("resolveSettings() does not miss what a file that it cannot read may set", () => {
  const { problems } = resolveSettings({ ...NOTHING, fileText: "{", required: ["postgresUrl"] });
  assert.deepEqual(problems.map(({ field }) => field), ["config"]);
});

Deno.test("resolveSettings() notices a variable that is nearly one of ours", () => {
  const env = { PG_TIDE_LEASE_MSS: "1", PG_TIDE_SOMETHING_ELSE_ENTIRELY: "1" };
  assert.deepEqual(resolveSettings({ ...NOTHING, env }).notices, [
    "The environment variable PG_TIDE_LEASE_MSS has no meaning; did you mean PG_TIDE_LEASE_MS?",
  ]);
});

Deno.test("configPath() takes the flag before the environment", () => {
  assert.equal(configPath({ flags: given("--config", "a"), env: { PG_TIDE_CONFIG: "b" } }), "a");
  assert.equal(configPath({ flags: {}, env: { PG_TIDE_CONFIG: "b" } }), "b");
  assert.equal(configPath({ flags: {}, env: {} }), null);
});

Deno.test("addSettingOptions() shows every setting with its default and its variable", () => {
  const help = addSettingOptions(new Command()).helpInformation().replaceAll(/\s+/g, " ");
  for (const { name, type, doc } of SETTING_FIELDS) {
    assert.ok(help.includes(`--${name.replaceAll("_", "-")} ${type === "boolean" ? "" : "<"}`), name);
    assert.ok(help.includes(`env PG_TIDE_${name.toUpperCase()}`), name);
    assert.ok(help.includes(doc.replaceAll(/\s+/g, " ")), name);
  }
  assert.ok(help.includes("default 10000, env PG_TIDE_LEASE_MS"));
});

Deno.test("addSettingOptions() adds the named settings only", () => {
  const help = addSettingOptions(new Command(), ["postgres_url"]).helpInformation();
  assert.ok(help.includes("--postgres-url") && !help.includes("--lease-ms"));
});
