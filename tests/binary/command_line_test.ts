import { strict as assert } from "node:assert";
import driver from "postgres";
import manifest from "../../deno.json" with { type: "json" };
import { sharedPostgres } from "../support/postgres.ts";
import type { RelayProcess } from "../support/relay_process.ts";
import { waitUntil } from "../support/wait.ts";
import { Deployment, type Outcome, pgTide } from "./deployment.ts";
import { withFolder, writePlugin } from "./folder.ts";

const postgres = await sharedPostgres(18);

/** Every command line that shows help, and what it must name. */
const HELP: Readonly<Record<string, RegExp>> = {
  "": /install \[options\][\s\S]*status \[options\][\s\S]*plugin[\s\S]*Exit codes: 0 good/,
  run: /--lease-ms <milliseconds>[\s\S]*env\s+PG_TIDE_LEASE_MS/,
  install: /--print/,
  status: /--json/,
  dlq: /list[\s\S]*show[\s\S]*status[\s\S]*retry[\s\S]*cancel[\s\S]*discard/,
  "dlq list":
    /--pipeline <name>[\s\S]*--code <code>[\s\S]*--before <time>[\s\S]*--limit <number>[\s\S]*--json/,
  "dlq show": /<id>[\s\S]*--json/,
  "dlq retry":
    /--id <id>[\s\S]*--payload <file>[\s\S]*--rate <number>[\s\S]*--into <name>[\s\S]*--dry-run[\s\S]*--wait/,
  "dlq status": /--pipeline <name>/,
  "dlq cancel": /<retry>/,
  "dlq discard": /--before <time>[\s\S]*--dry-run/,
  plugin: /list[\s\S]*inspect[\s\S]*test/,
  "plugin list": /--plugin <name=url>/,
  "plugin inspect": /<name>[\s\S]*--json/,
  "plugin test": /<file>[\s\S]*--set <json>/,
};

function assertOutcome(outcome: Outcome, code: number, ...patterns: readonly RegExp[]): void {
  const text = outcome.out + outcome.err;
  assert.equal(outcome.code, code, text);
  for (const pattern of patterns) assert.match(text, pattern);
}

Deno.test("--version prints the version, and nothing else", async () => {
  assert.deepEqual(await pgTide(["--version"]), { code: 0, out: `${manifest.version}\n`, err: "" });
});

Deno.test("--help of every command goes to standard output and exits with 0", async (t) => {
  for (const [command, pattern] of Object.entries(HELP)) {
    await t.step(`pg-tide ${command} --help`, async () => {
      const { code, out, err } = await pgTide([...command.split(" ").filter(Boolean), "--help"]);
      assert.equal(code, 0, err);
      assert.match(out, new RegExp(`^Usage: pg-tide ${command}`));
      assert.match(out, pattern);
      assert.equal(err, "");
    });
  }
});

Deno.test("a mistyped command, option or plugin exits with 2 and names the nearest", async (t) => {
  const cases: Readonly<Record<string, RegExp>> = {
    statsu: /Cannot run "statsu": there is no such command\n.*Did you mean status\?/,
    "--postgress-url x": /unknown option '--postgress-url'\n.*Did you mean --postgres-url\?/,
    "status --jsno": /unknown option '--jsno'\n.*Did you mean --json\?/,
    "plugin lst": /unknown command 'lst'\n.*Did you mean list\?/,
    "plugin inspect kafak":
      /Cannot inspect plugin "kafak": expected one of .*kafka[\s\S]*Did you mean "kafka"\?/,
    "install now": /too many arguments/,
    "--lease-ms": /'--lease-ms <milliseconds>' argument missing/,
  };
  for (const [line, pattern] of Object.entries(cases)) {
    await t.step(`pg-tide ${line}`, async () => {
      const outcome = await pgTide(line.split(" "));
      assertOutcome(outcome, 2, pattern);
      assert.equal(outcome.out, "", "errors go to standard error");
    });
  }
});

Deno.test("no command and no URL exits with 2, and names the flag, the variable and the key", async () => {
  assertOutcome(
    await pgTide([]),
    2,
    /postgres_url is not set, expected --postgres-url, PG_TIDE_POSTGRES_URL or postgres_url/,
  );
});

Deno.test("the exit code says what kind of failure it is", async () => {
  const unreachable = await pgTide(["status", "--postgres-url", "postgresql://u:p@127.0.0.1:1/x"]);
  assertOutcome(unreachable, 3, /127\.0\.0\.1:1\/x: the connection was refused\nCheck host and port/);
  const failure = await pgTide(["plugin", "list", "--plugin", "mine=file:/does/not/exist.js"]);
  assertOutcome(failure, 1, /kafka/, /Cannot read plugin "mine" .*there is no such file/);
});

Deno.test("install is idempotent, and safe to race", async () => {
  await using database = await postgres.createDatabase();
  const install = () => pgTide(["install", "--postgres-url", database.url]);
  const outcomes = await Promise.all(Array.from({ length: 5 }, install));
  for (const outcome of outcomes) assertOutcome(outcome, 0, /schema tide is (now|installed, ?)/);
  assert.equal(outcomes.filter(({ out }) => out.includes("is now version")).length >= 1, true);
  const again = await install();
  assertOutcome(again, 0, /^The schema tide is installed, version \d+\n$/);
  assertOutcome(await pgTide(["status", "--postgres-url", database.url]), 0, /There are no pipelines/);
});

Deno.test("install --print gives SQL that a plain client runs unchanged, again and again", async () => {
  await using deployment = await Deployment.install(postgres);
  const printed = await pgTide(["install", "--print"]);
  assertOutcome(printed, 0);
  await using database = await postgres.createDatabase();
  // The script has transactions of its own, which the driver allows on a single connection only.
  const plain = driver(database.url, { max: 1, onnotice: () => {} });
  try {
    await plain.unsafe(printed.out).simple();
    await plain.unsafe(printed.out).simple();
    assertOutcome(await pgTide(["install", "--postgres-url", database.url]), 0, /is installed, version/);
    const [mine, installed] = [await plain.unsafe(FUNCTIONS), await deployment.sql.unsafe(FUNCTIONS)];
    assert.ok(mine.length > 20);
    assert.deepEqual([...mine], [...installed], "as `install` leaves it");
  } finally {
    await plain.end();
  }
});

/** Every function of the schema, its text, and who may call it. */
const FUNCTIONS = `SELECT oid::regprocedure::text AS name, md5(prosrc) AS body, proacl::text AS rights
FROM pg_catalog.pg_proc WHERE pronamespace = 'tide'::regnamespace ORDER BY 1`;

Deno.test("status shows every pipeline, its state and lag, and what to do", async () => {
  await using deployment = await Deployment.install(postgres);
  await deployment.addPipeline("orders", { sink_type: "stdout", topic: "orders" });
  await deployment.addPipeline("broken", { sink_type: "stdout", transform: { filter: "total >" } });
  await deployment.sql`SELECT tide.outbox_create('quiet')`;
  await deployment.configure("quiet", { sink_type: "stdout" });
  await deployment.publish("orders", { n: 1 });

  const stopped = await deployment.pipeline("orders");
  assert.deepEqual([stopped.state, stopped.lag_messages, stopped.last_error?.code], [
    "stopped",
    1,
    "NO_RELAY",
  ]);
  assert.ok(stopped.lag_seconds > 0);
  assert.match(stopped.last_error!.advice!, /Start one: pg-tide --postgres-url/);

  await using relay = await deployment.startRelay();
  const idle = await deployment.reaches("orders", "idle");
  assert.deepEqual(idle, {
    name: "orders",
    outbox: "orders",
    group: "relay",
    sink_type: "stdout",
    state: "idle",
    lag_messages: 0,
    lag_seconds: 0,
    last_error: null,
    dead_letters: 0,
    warning: null,
    dead_letters_retrying: 0,
    dead_letters_expired: 0,
  });
  const { last_error } = await deployment.reaches("broken", "blocked");
  assert.deepEqual(Object.keys(last_error!).toSorted(), ["advice", "code", "reason", "since"]);
  const { out } = await deployment.run(["status", "--json"]);
  const keys = ["name", "outbox", "group", "sink_type", "state", "lag_messages", "lag_seconds", "last_error"];
  const added = ["dead_letters", "warning", "dead_letters_retrying", "dead_letters_expired"];
  assert.deepEqual(Object.keys(JSON.parse(out)), ["pipelines"]);
  for (const pipeline of JSON.parse(out).pipelines) {
    assert.deepEqual(Object.keys(pipeline), [...keys, ...added]);
  }

  const text = await deployment.run(["status"]);
  assertOutcome(
    text,
    0,
    /^PIPELINE +OUTBOX +GROUP +SINK +STATE +LAG +OLDEST +DEAD LETTERS\n/,
    /^orders +orders +relay +stdout +idle +0 +0\.0 s +0$/m,
    /^quiet +quiet +relay +stdout +paused +0 +0\.0 s +0$/m,
    /^broken +broken +relay +stdout +blocked +0 +0\.0 s +0\n {4}CONFIGURATION since .*Z: Cannot use .*transform\.filter.*\n {4}Correct it/m,
  );
  assert.equal(await relay.stop(), 0);
});

Deno.test("plugin list and plugin inspect show what is built in", async () => {
  assertOutcome(
    await pgTide(["plugin", "list"]),
    0,
    /^sink +kafka +Apache Kafka/m,
    /^sink +stdout /m,
    /^format +json /m,
  );
  const listed = JSON.parse((await pgTide(["plugin", "list", "--json"])).out);
  assert.deepEqual(Object.keys(listed), ["plugins", "failed"]);
  const kafka = JSON.parse((await pgTide(["plugin", "inspect", "kafka", "--json"])).out);
  assert.deepEqual([kafka.name, kafka.kind, kafka.contract], ["kafka", "sink", 1]);
  assert.deepEqual(kafka.permissions.net, ["{brokers}", "{sasl_oauth_token_url}", "{sasl_aws_sts_url}"]);
  const fields = new Map<string, Field>(kafka.fields.map((field: Field) => [field.name, field]));
  for (const [name, [type, preset]] of Object.entries(PAGE_FIELDS)) {
    const field = fields.get(name);
    assert.deepEqual([field?.type, field?.default], [type, preset], name);
  }
  const shown = await pgTide(["plugin", "inspect", "kafka"]);
  assertOutcome(
    shown,
    0,
    /network: \{brokers\}, \{sasl_oauth_token_url\}, \{sasl_aws_sts_url\}\n/,
    /network, if allowed with --plugin-net: \{sasl_aws_credentials_url\}\n/,
    /no environment variables, other files or programs/,
  );
  const text = shown.out.replaceAll(/\s+/g, " ");
  for (const { name, doc } of fields.values()) assert.ok(text.includes(name) && text.includes(doc), name);
});

interface Field {
  readonly name: string;
  readonly type: string;
  readonly default: unknown;
  readonly doc: string;
}

/** The page's configuration reference, but for what belongs to every pipeline: sink_type, topic, message_key, headers. */
const PAGE_FIELDS: Readonly<Record<string, readonly [type: string, preset: unknown]>> = {
  brokers: ["string", null],
  sasl_mechanism: ["string", null],
  sasl_username: ["string", null],
  sasl_password: ["string", null],
  tls_enabled: ["boolean", false],
  tls_ca_cert: ["string", null],
  tls_client_cert: ["string", null],
  tls_client_key: ["string", null],
  compression: ["string", "none"],
  acks: ["string", "all"],
  batch_size: ["integer", 100],
  linger_ms: ["integer", 10],
  idempotent: ["boolean", false],
  request_timeout_ms: ["integer", 30_000],
};

Deno.test("a first signal drains and exits with 0, a second one ends at once with 130 or 143", async () => {
  await using deployment = await Deployment.install(postgres);
  await withFolder(async (folder) => {
    const flags = [...await writePlugin(folder, "never", NEVER_ANSWERS), "--lease-ms", "1000"];
    {
      await using relay = await deployment.startRelay(flags);
      assert.equal(await relay.stop(), 0);
    }
    {
      await using known = await deployment.startRelay(flags);
      await deployment.addPipeline("stuck", { sink_type: "never", topic: "t" });
      await deployment.publish("stuck", { n: 1 });
      await endTwice(known, "SIGTERM", 143);
    }
    await using relay = await deployment.startRelay(flags);
    await endTwice(relay, "SIGINT", 130);
  });
});

/** A sink that has a message in flight for ever, so that a drain takes its whole time. */
const NEVER_ANSWERS = `import { defineSink } from "@pg-tide/sdk";
defineSink({ name: "never", summary: "Never answers", fields: [], permissions: {}, open: async () => ({
  deliver: (page) => { console.log("has " + page.count); return new Promise(() => {}); }, close: async () => {},
}) });`;

async function endTwice(
  relay: RelayProcess,
  signal: "SIGTERM" | "SIGINT",
  code: number,
): Promise<void> {
  const logged = (text: string) =>
    waitUntil(async () => (await relay.log()).includes(text), {
      what: `"${text}" in the log`,
      timeoutMs: 60_000,
    });
  await logged("has 1");
  await relay.signal(signal);
  await logged(`signal=${signal}`);
  assert.equal(await relay.exitCode(), undefined, "it drains");
  await relay.signal(signal);
  assert.equal(await relay.ended(), code);
}
