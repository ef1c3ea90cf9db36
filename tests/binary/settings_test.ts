import { strict as assert } from "node:assert";
import { join } from "node:path";
import { flagOf, SETTING_FIELDS, variableOf } from "../../src/config/flags.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { Deployment, type Outcome, pgTide } from "./deployment.ts";
import { withFolder } from "./folder.ts";

/** For each setting a value that it takes, and one that it does not. `config` cannot stand in the file that it names. */
const VALUES: Readonly<Record<string, { readonly good: unknown; readonly bad: unknown }>> = {
  postgres_url: { good: "postgresql://u:p@127.0.0.1:1/x", bad: "mysql://u:p@127.0.0.1/x" },
  relay_name: { good: "north", bad: "n".repeat(201) },
  adopt: { good: true, bad: "maybe" },
  log_level: { good: "warn", bad: "loud" },
  log_format: { good: "json", bad: "xml" },
  lease_ms: { good: 2000, bad: 5 },
  drain_timeout_ms: { good: 100, bad: -1 },
  max_connections: { good: 3, bad: 1 },
  plugin: { good: ["mine=file:./mine.js"], bad: ["./mine.js"] },
  plugin_net: { good: ["mine=example.com:443"], bad: ["example.com:443"] },
  allow_env: { good: ["MY_*"], bad: ["MY-"] },
  allow_file: { good: ["/srv/*"], bad: ["srv/*"] },
};

const NAMES = Object.keys(VALUES);

/** The values as the texts of flags and variables. */
const textOf = (name: string, which: "good" | "bad") => String(VALUES[name]![which]);
const variables = (which: "good" | "bad") =>
  Object.fromEntries(NAMES.map((name) => [variableOf(name), textOf(name, which)]));
const flags = (which: "good" | "bad") =>
  // A switch has no value that could be wrong.
  NAMES.filter((name) => name !== "adopt").flatMap((name) => [flagOf(name), textOf(name, which)]);

/** Run a command with a settings file of these values. */
function withFile(
  which: "good" | "bad",
  run: (path: string) => Promise<Outcome>,
): Promise<Outcome> {
  return withFolder(async (folder) => {
    const path = join(folder, "pg-tide.json");
    const content = Object.fromEntries(NAMES.map((name) => [name, VALUES[name]![which]]));
    await Deno.writeTextFile(path, JSON.stringify(content));
    return await run(path);
  });
}

/** Check that exactly these places are said to be wrong. */
function assertProblems({ code, err }: Outcome, places: readonly string[]): void {
  assert.equal(code, 2, err);
  const told = [...err.matchAll(/^ {2}- Cannot (?:use|read) (\S+): /gm)].map(([, place]) => place);
  assert.deepEqual(told, places, err);
  assert.match(err, new RegExp(`^Error: ${places.length} settings are wrong\n`));
  assert.match(err, /Run pg-tide --help/);
}

Deno.test("the table has every setting", () => {
  assert.deepEqual(["config", ...NAMES].toSorted(), SETTING_FIELDS.map(({ name }) => name).toSorted());
});

Deno.test("every setting is read from the file, and all that is wrong is said at once", async () => {
  assertProblems(await withFile("bad", (path) => pgTide(["--config", path])), NAMES);
});

Deno.test("every setting's variable goes before the file, and is named when it is wrong", async () => {
  const env = variables("bad");
  assertProblems(
    await withFile("good", (path) => pgTide(["--config", path], { env })),
    NAMES.map(variableOf),
  );
});

Deno.test("every setting's flag goes before its variable, and is named when it is wrong", async () => {
  const env = variables("good");
  const outcome = await withFile("good", (path) => pgTide(["--config", path, ...flags("bad")], { env }));
  assertProblems(outcome, NAMES.filter((name) => name !== "adopt").map(flagOf));
});

Deno.test("a good flag makes up for a bad variable, and a good variable for a bad file", async () => {
  // Nothing listens there: what comes after the settings is that.
  const refused = ({ code, err }: Outcome) => {
    assert.equal(code, 3, err);
    assert.match(err, /127\.0\.0\.1:1\/x: the connection was refused/);
  };
  const args = ["status", ...flags("good"), "--adopt"];
  refused(await withFile("bad", (path) => pgTide([...args, "--config", path], { env: variables("bad") })));
  const env = variables("good");
  refused(await withFile("bad", (path) => pgTide(["status"], { env: { ...env, PG_TIDE_CONFIG: path } })));
});

Deno.test("--config goes before PG_TIDE_CONFIG, and a file that is none is named", async () => {
  const missing = "/does/not/exist.json";
  const byVariable = await pgTide(["status"], { env: { PG_TIDE_CONFIG: missing } });
  assert.equal(byVariable.code, 2);
  assert.match(byVariable.err, /Cannot read the --config file "\/does\/not\/exist\.json".*\nGive the path/);
  const outcome = await withFile(
    "good",
    (path) => pgTide(["status", "--config", path], { env: { PG_TIDE_CONFIG: missing } }),
  );
  assert.equal(outcome.code, 3, outcome.err);
  const { code, err } = await withFolder(async (folder) => {
    const path = join(folder, "pg-tide.json");
    await Deno.writeTextFile(path, `{"lease_mss": 2000, "postgres_url": "postgresql://127.0.0.1:1/x"}`);
    return await pgTide(["status", "--config", path]);
  });
  assert.equal(code, 2);
  assert.match(
    err,
    /Cannot use lease_mss in the --config file: there is no such setting, did you mean lease_ms\?/,
  );
});

Deno.test("a variable that is nearly one of ours is noticed", async () => {
  const { err } = await pgTide(["status"], { env: { PG_TIDE_POSTGRES_ULR: "postgresql://127.0.0.1:1/x" } });
  assert.match(
    err,
    /Notice: The environment variable PG_TIDE_POSTGRES_ULR has no meaning; did you mean PG_TIDE_POSTGRES_URL\?/,
  );
});

Deno.test("the relay runs with what was said, by flag before variable before file", async () => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  const startedAs = async (args: readonly string[], env: Readonly<Record<string, string>>) => {
    await using relay = await deployment.startRelay(args, { env });
    assert.equal(await relay.stop(), 0);
    return await relay.log();
  };
  await withFolder(async (folder) => {
    const path = join(folder, "pg-tide.json");
    await Deno.writeTextFile(path, JSON.stringify({ relay_name: "of-file", log_format: "json" }));
    const config = ["--config", path];
    assert.match(await startedAs(config, {}), /"relay":"of-file"/);
    const env = { PG_TIDE_RELAY_NAME: "of-variable" };
    assert.match(await startedAs(config, env), /"relay":"of-variable"/);
    const log = await startedAs([...config, "--relay-name", "of-flag", "--log-format", "text"], env);
    assert.match(log, /pg-tide runs version=\S+ relay=of-flag/);
  });
});
