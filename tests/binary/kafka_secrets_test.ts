/**
 * The Kafka sink's secrets in every real failure: in nothing that the program writes, whoever echoes them.
 *
 * The fields are those that the manifest marks as secret: a new one that no pipeline here uses fails the test.
 */

import { strict as assert } from "node:assert";
import { MANIFEST } from "../../plugins/sink_kafka/manifest.ts";
import { allow } from "../support/kafka_rights.ts";
import { type SecureKafka, secureKafka } from "../support/kafka_secure.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { type TestTopic, testTopic } from "../support/test_topic.ts";
import { Deployment, type Outcome, pgTide } from "./deployment.ts";
import { withFolder } from "./folder.ts";
import { echo, type Failing, failingPipelines, MARK, Plantation } from "./planted_secrets.ts";

/** Checks that a text tells no planted secret, in any spelling. */
function assertSilent(text: string, where: string): void {
  const at = text.search(/5e1f0c7a|-----BEGIN [A-Z ]*PRIVATE KEY-----(\s|\\n)*[\w+/]{8}/);
  assert.equal(at, -1, `a secret shows in ${where}: …${text.slice(Math.max(0, at - 200), at + 100)}…`);
  for (const [word] of text.matchAll(/[A-Za-z0-9+/_-]{12,}={0,2}/g)) {
    for (const start of [0, 1, 2, 3]) {
      const decoded = new TextDecoder().decode(base64(word.slice(start)));
      assert.ok(!decoded.includes(MARK), `a secret shows in ${where}, in base64: ${word}`);
    }
  }
}

/** The bytes of a word that may be base64; of another one, any. */
function base64(word: string): Uint8Array {
  const letters = word.replaceAll("-", "+").replaceAll("_", "/").replaceAll("=", "");
  return Uint8Array.fromBase64(letters.slice(0, letters.length - letters.length % 4));
}

/** One that the broker takes. */
const GOOD_PASSWORD = `canary-${MARK}`;

/** A pipeline that works, by a password that it must not tell either, but for a message that is too large. */
async function addRejecting(
  deployment: Deployment,
  { kafka, listeners }: SecureKafka,
  topic: TestTopic,
): Promise<AsyncDisposable> {
  const username = `secret-${crypto.randomUUID()}`;
  await kafka.tools.setPassword(username, GOOD_PASSWORD);
  await deployment.addPipeline("rejecting", {
    sink_type: "kafka",
    brokers: listeners.SASL_PLAINTEXT,
    topic: topic.name,
    sasl_mechanism: "SCRAM-SHA-512",
    sasl_username: username,
    sasl_password: "${env:KAFKA_GOOD_PASSWORD}",
  });
  await deployment.publish("rejecting", { filler: "x".repeat(5_000) });
  return await allow(kafka.brokers, { principal: `User:${username}`, operation: "WRITE", topic: topic.name });
}

/** What a user looks at when a pipeline fails. */
async function look(deployment: Deployment): Promise<Readonly<Record<string, Outcome>>> {
  return {
    "status": await deployment.run(["status"]),
    "status --json": await deployment.run(["status", "--json"]),
    "plugin list": await pgTide(["plugin", "list"]),
    "plugin inspect kafka": await pgTide(["plugin", "inspect", "kafka"]),
  };
}

/** Run a relay until pipelines have failed as they must, a few at a time, and look everywhere. */
async function assertSilentRelay(
  deployment: Deployment,
  failing: Readonly<Record<string, Failing>>,
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  // A starved machine must not lose a lease: its pipelines would start again all at once.
  const steady = ["--log-level", "debug", "--lease-ms", "120000"];
  await using relay = await deployment.startRelay([...steady, ...flags], { env });
  await deployment.reaches("rejecting", "idle");
  for (let names = Object.keys(failing); names.length > 0; names = names.slice(AT_ONCE)) {
    const group = names.slice(0, AT_ONCE);
    for (const name of group) await deployment.sql`SELECT tide.relay_enable(${name})`;
    for (const name of group) {
      const { code } = failing[name]!;
      const told = await deployment.fails(name, code === "BROKER_UNREACHABLE" ? "waiting" : "blocked");
      assert.equal(told.code, code, `${name}: ${told.reason}`);
    }
    for (const [command, { out, err }] of Object.entries(await look(deployment))) {
      assertSilent(`${out}${err}`, command);
    }
    for (const name of group) await deployment.sql`SELECT tide.relay_disable(${name})`;
  }
  assert.equal(await relay.stop(), 0);
  const log = await relay.log();
  assert.match(log, /SASL_AUTHENTICATION_FAILED/);
  assertSilent(log, "the log");
}

/** So many Workers start at once. */
const AT_ONCE = 4;

/** The pipelines whose failures are logged as text too, which differs in how a line is written, and not in what is. */
const IN_TEXT = ["plain", "oauth", "key_password"];

Deno.test("no secret of the Kafka sink is in anything that the program writes, whatever fails", async () => {
  const secure = await secureKafka();
  await using server = echo();
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await using topic = await testTopic(secure.kafka, 1, { "max.message.bytes": "1000" });
  await using _right = await addRejecting(deployment, secure, topic);
  await withFolder(async (folder) => {
    const plants = new Plantation(folder);
    const failing = await failingPipelines(secure, plants, server);
    const secrets = MANIFEST.fields.filter(({ secret }) => secret).map(({ name }) => name);
    assert.deepEqual([...plants.fields].toSorted(), secrets.toSorted());
    for (const [name, { config }] of Object.entries(failing)) {
      await deployment.addPipeline(name, { sink_type: "kafka", topic: topic.name, ...config });
      await deployment.sql`SELECT tide.relay_disable(${name})`;
    }
    const env = { ...plants.env, KAFKA_GOOD_PASSWORD: GOOD_PASSWORD };
    const flags = ["--allow-file", `${folder}/*`, "--plugin-net", `kafka=${new URL(server.origin).host}`];
    await assertSilentRelay(deployment, failing, ["--log-format", "json", ...flags], env);
    const few = Object.fromEntries(Object.entries(failing).filter(([name]) => IN_TEXT.includes(name)));
    await assertSilentRelay(deployment, few, ["--log-format", "text", ...flags], env);
    assert.equal(await deployment.deadLetters("rejecting"), 1);
    assertSilent(await everythingStored(deployment), "the database");
  });
});

/** Every row of every table of the schema. */
async function everythingStored({ sql }: Deployment): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'tide'`;
  const rows = await Promise.all(
    tables.map(({ name }) => sql.unsafe(`SELECT t::text AS row FROM ${name} t`)),
  );
  return rows.flat().map((row) => row["row"]).join("\n");
}
