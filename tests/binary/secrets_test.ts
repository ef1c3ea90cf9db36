import { strict as assert } from "node:assert";
import { secureKafka } from "../support/kafka_secure.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { Deployment, type Outcome, pgTide, refusal } from "./deployment.ts";
import { withFolder, writePlugin } from "./folder.ts";

/** A password that nothing else looks like; its last character is written %40 in a URL. */
const CANARY = "canary-5e1f0c7a@";
const IN_URL = encodeURIComponent(CANARY);

/** Checks that a text tells nothing of the password, in any spelling. */
function assertSilent(text: string, where: string): void {
  assert.doesNotMatch(text, /canary|5e1f0c7a/i, `the password shows in ${where}`);
}

function assertSilentOutcome({ out, err }: Outcome, where: string): void {
  assertSilent(out, where);
  assertSilent(err, where);
}

const COMMANDS = [["run"], ["install"], ["status"], ["status", "--json"]] as const;

Deno.test("the password of a URL that fails is in no output", async () => {
  const server = new URL((await sharedPostgres(18)).url());
  const urls = {
    "wrong password": `postgresql://postgres:${IN_URL}@${server.host}/postgres`,
    "no such role": `postgresql://nobody_here:${IN_URL}@${server.host}/postgres`,
    "refused": `postgresql://postgres:${IN_URL}@127.0.0.1:1/postgres`,
    "unknown host": `postgresql://postgres:${IN_URL}@no-such-host.invalid/postgres`,
    "not encoded": `postgresql://postgres:${CANARY}/x#y@127.0.0.1:1/postgres`,
    "bad port": `postgresql://postgres:${IN_URL}@127.0.0.1:port/postgres`,
    "bad sslmode": `postgresql://postgres:${IN_URL}@127.0.0.1:1/postgres?sslmode=loud`,
    "as a parameter": `postgresql://127.0.0.1:1/postgres?user=postgres&password=${IN_URL}`,
    "not PostgreSQL's": `mysql://root:${IN_URL}@127.0.0.1/x`,
  };
  for (const [what, url] of Object.entries(urls)) {
    for (const command of what === "wrong password" ? COMMANDS : [["status"]]) {
      const outcome = await pgTide([...command, "--postgres-url", url, "--log-level", "debug"]);
      assert.ok(outcome.code === 2 || outcome.code === 3, `${what}: ${outcome.code}`);
      assertSilentOutcome(outcome, `${what}: ${command.join(" ")}`);
      const byVariable = await pgTide(command, { env: { PG_TIDE_POSTGRES_URL: url } });
      assert.equal(byVariable.code, outcome.code);
      assertSilentOutcome(byVariable, `${what}, by variable: ${command.join(" ")}`);
    }
  }
});

Deno.test("secrets of pipelines are in no log line, status or refusal", async () => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  const brokers = (await secureKafka()).listeners.SASL_PLAINTEXT;
  const broker = { sink_type: "kafka", brokers, topic: "t", sasl_username: "relay" };
  const literal = { ...broker, sasl_mechanism: "PLAIN", sasl_password: CANARY };
  await deployment.addPipeline("literal", literal);
  await deployment.addPipeline("by_variable", { ...literal, sasl_password: "${env:KAFKA_PASSWORD}" });
  // Where a secret does not belong: in headers, in the list of brokers.
  await deployment.addPipeline("brokers", {
    ...broker,
    sasl_mechanism: "PLAIN",
    sasl_password: "x",
    brokers: "${env:KAFKA_PASSWORD}",
  });
  await deployment.addPipeline("header", {
    sink_type: "stdout",
    headers: { token: "${env:TIDE_SECRET_TOKEN}" },
  });
  const env = { KAFKA_PASSWORD: CANARY, TIDE_SECRET_TOKEN: CANARY };
  await using relay = await deployment.startRelay(["--log-level", "debug"], { env });
  for (const name of ["literal", "by_variable"]) {
    const { code, reason } = await deployment.fails(name, "blocked");
    assert.equal(code, "SASL_AUTHENTICATION_FAILED");
    assert.match(reason, /user "relay" with sasl_mechanism "PLAIN"/);
  }
  assert.match((await deployment.fails("brokers", "blocked")).reason, /brokers/);
  await deployment.reaches("header", "idle");
  assert.equal(await relay.stop(), 0);
  assertSilent(await relay.log(), "the relay's log");
  assertSilentOutcome(await deployment.run(["status"]), "status");
  assertSilentOutcome(await deployment.run(["status", "--json"]), "status --json");

  for (const wrong of [{ sasl_password: [CANARY] }, { sasl_pasword: CANARY }, { sasl_mechanism: "PLAN" }]) {
    const { code, message, detail, hint } = await refusal(
      deployment.configure("literal", { ...literal, ...wrong }),
    );
    assert.equal(code, "TD021");
    assertSilent(`${message}\n${detail}\n${hint}`, JSON.stringify(Object.keys(wrong)));
  }
});

Deno.test("a plugin's secret is in no output of plugin test, also when the plugin tells it", async () => {
  const source = `import { defineSink, delivered } from "@pg-tide/sdk";
    defineSink({ name: "leaky", summary: "Tells all", permissions: {},
      fields: [{ name: "password", type: "string", doc: "", secret: true, min: 40 }],
      open: async ({ fields }) => { console.log(fields.password); throw new Error("with " + fields.password); } });`;
  await withFolder(async (folder) => {
    await writePlugin(folder, "leaky", source);
    const test = (set: object) =>
      pgTide(["plugin", "test", `${folder}/leaky.js`, "--set", JSON.stringify(set)]);
    const long = CANARY.repeat(3);
    const told = await test({ password: long });
    assert.equal(told.code, 1, told.err);
    assert.match(told.out, /threw Error: with \*\*\*/);
    assertSilentOutcome(told, "the plugin's own error");
    const short = await test({ password: CANARY });
    assert.equal(short.code, 2);
    assert.match(short.err, /password: a secret string, expected at least 40 characters/);
    assertSilentOutcome(short, "the error about the field");
  });
});
