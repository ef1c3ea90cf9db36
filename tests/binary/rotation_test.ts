/**
 * Files with secrets that change on disk while the compiled program delivers: taken without a restart, and refused without harm.
 */

import { strict as assert } from "node:assert";
import { join } from "node:path";
import { readTopic, textOf } from "../support/consume.ts";
import { RELAY_SUBJECT, type SecureKafka, secureKafka } from "../support/kafka_secure.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { Deployment, logs } from "./deployment.ts";
import { withFolder } from "./folder.ts";
import { SecretFiles } from "./secret_files.ts";

/** The pipelines that deliver all the while. */
const NAMES = ["password", "certificate"] as const;

const KEYS = 7;
const PUBLISH_EVERY_MS = 20;

/** Publishes numbered messages to outboxes, one after the other, until it is stopped. */
class Publisher implements AsyncDisposable {
  readonly #deployment: Deployment;
  readonly #outboxes: readonly string[];
  #published = 0;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(deployment: Deployment, outboxes: readonly string[]) {
    this.#deployment = deployment;
    this.#outboxes = outboxes;
    this.#running = this.#run();
  }

  /** @returns how many messages were published to each */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#running;
    return this.#published;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    for (; !this.#stopped; this.#published++) {
      const key = `key-${this.#published % KEYS}`;
      for (const outbox of this.#outboxes) await this.#deployment.publish(outbox, this.#published, key);
      await new Promise((resolve) => setTimeout(resolve, PUBLISH_EVERY_MS));
    }
  }
}

/** The numbers of every key, in the order in which they stand in the topic. */
async function numbersIn(secure: SecureKafka, topic: string): Promise<Readonly<Record<string, number[]>>> {
  const numbers: Record<string, number[]> = {};
  for (const { key, value } of (await readTopic(secure.kafka.brokers, topic)).map(textOf)) {
    (numbers[key!] ??= []).push(Number(value));
  }
  return numbers;
}

function expectedOf(count: number): Readonly<Record<string, number[]>> {
  const numbers: Record<string, number[]> = {};
  for (let n = 0; n < count; n++) (numbers[`key-${n % KEYS}`] ??= []).push(n);
  return numbers;
}

/** Wait until `status` shows a warning with this code, or none. */
async function warned(deployment: Deployment, name: string, code: string | null) {
  return await waitUntil(async () => {
    const { state, warning } = await deployment.pipeline(name);
    return ["running", "idle"].includes(state) && (warning?.code ?? null) === code ? { warning } : undefined;
  }, { what: `pipeline ${name} to have the warning ${code}`, timeoutMs: 60_000, intervalMs: 250 });
}

/** Checks that a pipeline was never in trouble, and its Worker never started again. */
function assertSteady(log: string, pipeline: string): void {
  const lines = log.split("\n").filter((line) => line.includes(`"pipeline":"${pipeline}"`));
  assert.equal(lines.filter((line) => line.includes("Plugin started")).length, 1, pipeline);
  assert.deepEqual(lines.filter((line) => /"message":"(Waiting|Blocked|Stopped)/.test(line)), []);
}

/** Files that cannot be used are told in `status`, and harm nothing. */
async function assertRefuses(deployment: Deployment, files: SecretFiles): Promise<void> {
  await files.write("password", "wrong\n");
  await files.write("client.pem", "garbage");
  const { warning: password } = await warned(deployment, "password", "SASL_AUTHENTICATION_FAILED");
  const start = /^A file of the configuration has changed, and is not in force: SASL authentication failed/;
  assert.match(password!.reason, start);
  assert.match(password!.advice!, /Verify that sasl_mechanism/);
  const { warning: certificate } = await warned(deployment, "certificate", "TLS_CONFIGURATION");
  assert.match(certificate!.reason, /is not in force: Cannot use tls_client_cert: it holds no certificate/);
  const { out } = await deployment.run(["status"]);
  assert.match(out, /\n {4}Warning TLS_CONFIGURATION since .*Cannot use tls_client_cert/);
  await Deno.remove(join(files.folder, "ca.pem"));
  const { warning: authority } = await warned(deployment, "certificate", "CONFIGURATION");
  assert.match(authority!.reason, /Cannot read tls_ca_cert: file ".*ca\.pem": there is no such file/);
}

Deno.test("the program takes changed files while it delivers, and tells of those that it cannot use", async () => {
  const secure = await secureKafka();
  const renewed = () => secure.issue({ subject: RELAY_SUBJECT, hosts: [] });
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await withFolder(async (folder) => {
    await using files = await SecretFiles.in(folder, secure);
    await files.write("blocked-key.pem", "garbage");
    const blockedKey = join(folder, "blocked-key.pem");
    await deployment.addPipeline("password", files.byPassword);
    await deployment.addPipeline("certificate", files.byCertificate);
    const { certificate } = secure.client;
    const blocked = { ...files.byCertificate, tls_client_cert: certificate, tls_client_key: blockedKey };
    await deployment.addPipeline("blocked", blocked);
    // A starved machine must not lose a lease, which would start Workers anew.
    const steady = ["--lease-ms", "120000"];
    const flags = ["--log-level", "debug", "--log-format", "json", "--allow-file", `${folder}/*`, ...steady];
    await using relay = await deployment.startRelay(flags);
    await using publisher = new Publisher(deployment, NAMES);
    for (const name of NAMES) await warned(deployment, name, null);
    const { reason } = await deployment.fails("blocked", "blocked");
    assert.match(reason, /^Cannot use tls_client_key: it holds no private key/);
    await files.write("blocked-key.pem", secure.client.key);

    await files.changePassword("second");
    await files.write("password", "second\n");
    await files.writeClient(await renewed());
    for (const name of NAMES) await logs(relay, new RegExp(`the sink has taken it.*"pipeline":"${name}"`));
    await assertRefuses(deployment, files);
    await files.writeAuthority();
    await files.write("password", "second\n");
    await files.writeClient(await renewed());
    for (const name of NAMES) await warned(deployment, name, null);

    const published = await publisher.stop();
    for (const name of [...NAMES, "blocked"]) await deployment.reaches(name, "idle");
    assert.equal(await relay.stop(), 0);
    for (const name of NAMES) {
      assertSteady(await relay.log(), name);
      assert.deepEqual(await numbersIn(secure, files.topics[name].name), expectedOf(published), name);
    }
  });
});
