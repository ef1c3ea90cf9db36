/**
 * The page's configurations without an authority of their own, word for word but for one's brokers: the relay's operator
 * lets it trust whom the machine trusts, besides whom browsers trust.
 */

import { strict as assert } from "node:assert";
import { join } from "node:path";
import { readTopic, textOf } from "../support/consume.ts";
import { RELAY_USER, secureKafka } from "../support/kafka_secure.ts";
import { AUTHENTICATION } from "../support/page_configurations.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { Deployment } from "./deployment.ts";
import { withFolder } from "./folder.ts";

Deno.test("the program believes brokers by the authorities that its machine trusts, if its operator says so", async () => {
  const { kafka, listeners, authority } = await secureKafka();
  const { username, password } = RELAY_USER;
  const plain = JSON.parse(AUTHENTICATION["SASL/PLAIN (Confluent Cloud)"]!);
  const scram = { ...JSON.parse(AUTHENTICATION["SASL/SCRAM-SHA-256"]!), brokers: listeners.SASL_SSL };
  const credentials = {
    CONFLUENT_BOOTSTRAP_SERVERS: listeners.SASL_SSL,
    CONFLUENT_API_KEY: username,
    CONFLUENT_API_SECRET: password,
    KAFKA_USER: username,
    KAFKA_PASS: password,
  };
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await using topics = new AsyncDisposableStack();
  for (const { topic } of [plain, scram]) {
    await kafka.createTopic(topic, 1);
    topics.defer(() => kafka.deleteTopic(topic));
  }
  await withFolder(async (folder) => {
    const path = join(folder, "ca.pem");
    await Deno.writeTextFile(path, authority.certificate);
    await deployment.addPipeline("plain", plain);
    await deployment.addPipeline("scram", scram);
    const insecure = { ...scram, tls_insecure_skip_verify: true };
    await deployment.addPipeline("insecure", insecure);
    for (const name of ["plain", "scram"]) await deployment.publish(name, "believed");
    // The machine's own authorities are looked for where SSL_CERT_FILE says.
    const env = { ...credentials, DENO_TLS_CA_STORE: "mozilla,system", SSL_CERT_FILE: path };
    await using relay = await deployment.startRelay([], { env });
    for (const name of ["plain", "scram", "insecure"]) {
      const { warning } = await deployment.reaches(name, "idle");
      assert.equal(warning?.code, name === "insecure" ? "SINK_NOTICE" : undefined);
    }
    const { out } = await deployment.run(["status"]);
    assert.match(
      out,
      /Warning SINK_NOTICE since .*: tls_insecure_skip_verify is true: no broker's certificate/,
    );
    assert.equal(await relay.stop(), 0);
  });
  for (const { topic } of [plain, scram]) {
    const values = (await readTopic(kafka.brokers, topic)).map((record) => textOf(record).value);
    assert.deepEqual(values, ['"believed"']);
  }
});
