import { type Fault, FaultError } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../plugins/sink_kafka/clock.ts";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import { issueCertificate } from "../../support/certificate.ts";
import { readTopic } from "../../support/consume.ts";
import { assertDelivers } from "../../support/kafka_configuration.ts";
import { Delivery, kafkaConfig, openInProcess, openKafkaSink, recordPage } from "../../support/kafka_sink.ts";
import { RELAY_USER, secureKafka } from "../../support/kafka_secure.ts";
import { LibraryWatch } from "../../support/library_watch.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { OAuthServer } from "../../support/oauth_server.ts";
import { readmeBlock } from "../../support/readme.ts";
import { testTopic } from "../../support/test_topic.ts";
import { waitUntil } from "../../support/wait.ts";

type Fields = Parameters<typeof kafkaConfig>[0];

/** Why a sink cannot be opened. */
async function faultOf(fields: Fields): Promise<Extract<Fault, { kind: "configuration" }>> {
  const error = await openInProcess(fields).then(() => assert.fail("it is open"), (error: unknown) => error);
  assert.ok(error instanceof FaultError && error.fault.kind === "configuration", String(error));
  return error.fault;
}

/** Hand records over until something has happened; the last page may wait for room longer than that, and is in `offered` then. */
async function deliverUntil(
  delivery: Delivery,
  topic: string,
  records: NumberedRecords,
  happened: () => boolean,
  what: string,
): Promise<{ readonly offered: Promise<void> }> {
  let isOver = false;
  const offerAll = async () => {
    while (!isOver) {
      await delivery.offer(topic, records.take(20));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const offered = offerAll();
  await Promise.race([offered, waitUntil(happened, { what, timeoutMs: 60_000 })]).finally(() =>
    isOver = true
  );
  return { offered };
}

Deno.test("the sink's Worker gets a token of an OAuth server by TLS, and shows it to a broker by TLS", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 1);
  await using server = new OAuthServer(
    secure,
    await issueCertificate(secure.authority, { subject: { CN: "oauth" } }),
  );
  const sink = await openKafkaSink({
    brokers: secure.listeners.SASL_SSL,
    tls_enabled: true,
    tls_ca_cert: secure.authority.certificate,
    ...server.fields,
    sasl_oauth_ca_cert: secure.authority.certificate,
    sasl_oauth_scope: "kafka",
    sasl_oauth_extensions: { logicalCluster: "lkc-1", identityPoolId: "pool-1" },
  });
  const answer = await sink.deliver(recordPage(topic.name, [{ key: "k", value: "v" }]), 1);
  await sink.close();
  assert.deepEqual([...answer.delivered], [0, 1]);
  assert.equal(await topic.count(), 1);
  const forms = server.requests.map(({ body }) => body);
  assert.deepEqual(new Set(forms), new Set(["grant_type=client_credentials&scope=kafka"]));
});

for (const [block, prefix] of [["oauth", "KAFKA"], ["oauth-confluent", "CONFLUENT"]] as const) {
  Deno.test(`the README's configuration "${block}" delivers to a broker that wants tokens`, async () => {
    const secure = await secureKafka();
    await using server = new OAuthServer(secure);
    const { sasl_oauth_token_url, sasl_oauth_client_id: id, sasl_oauth_client_secret: secret } =
      server.fields;
    const config = {
      ...JSON.parse(await readmeBlock(block)),
      brokers: secure.listeners.SASL_SSL,
      tls_ca_cert: secure.authority.certificate,
      sasl_oauth_token_url,
    };
    const env = { [`${prefix}_CLIENT_ID`]: id!, [`${prefix}_CLIENT_SECRET`]: secret! };
    await assertDelivers(secure.kafka, config, { env });
  });
}

Deno.test("the sink shows who it is again and again under load, by each mechanism, on the same connections", async () => {
  const secure = await secureKafka();
  await using server = new OAuthServer(secure);
  // It is renewed in the middle.
  server.content = { subject: "relay", lifetimeS: 5 };
  using watch = new LibraryWatch();
  const password = { sasl_username: RELAY_USER.username, sasl_password: RELAY_USER.password };
  const ways: readonly Fields[] = [
    server.fields,
    { sasl_mechanism: "SCRAM-SHA-512", ...password },
    { sasl_mechanism: "PLAIN", ...password },
  ];
  const happened = () => watch.authentications >= 4 * ways.length && server.requests.length >= 2;
  await Promise.all(ways.map(async (fields) => {
    await using topic = await testTopic(secure.kafka, 3);
    const records = new NumberedRecords();
    const sink = await openInProcess({ brokers: secure.listeners.REAUTH, idempotent: true, ...fields });
    await using delivery = new Delivery(sink);
    const { offered } = await deliverUntil(delivery, topic.name, records, happened, "the third renewal");
    await offered;
    await delivery.drained();
    records.assertExactlyOnce(await readTopic(secure.kafka.brokers, topic.name));
    assert.deepEqual([delivery.states, delivery.letters], [[], []]);
  }));
  // One each, and some if the machine was too busy to be in time.
  assert.ok(watch.connects <= 2 * ways.length, `${watch.connects} connections`);
  assert.ok(server.requests.length < watch.authentications / ways.length, "one token serves more than once");
});

Deno.test("the sink goes on while the OAuth server is away, waits when its token has expired, and loses nothing", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 3);
  await using server = new OAuthServer(secure);
  server.content = { subject: "relay", lifetimeS: 3 };
  const records = new NumberedRecords();
  const sink = await openInProcess({
    brokers: secure.listeners.SASL_PLAINTEXT,
    idempotent: true,
    request_timeout_ms: 1_000,
    delivery_timeout_ms: 1_500,
    ...server.fields,
  });
  await using delivery = new Delivery(sink);
  await server.halt();
  const isTold = () => delivery.states.length > 0;
  const { offered } = await deliverUntil(delivery, topic.name, records, isTold, "the end of the token");
  assert.ok(records.count > 100, "it went on without the server");
  const [state] = delivery.states;
  assert.ok(state?.state === "waiting", JSON.stringify(state));
  assert.equal(state.code, "OAUTH_SERVER_UNREACHABLE");
  assert.match(state.reason, /^Cannot reach the OAuth server http:\/\/127\.0\.0\.1/);
  server.resume();
  await offered;
  await delivery.drained();
  records.assertInOrder(await readTopic(secure.kafka.brokers, topic.name));
  assert.deepEqual(delivery.letters, []);
});

Deno.test("the sink stops when a broker refuses a renewed token, and does not show that one again", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 1);
  await using server = new OAuthServer(secure);
  const records = new NumberedRecords();
  server.content = { subject: "relay", lifetimeS: 3 };
  const sink = await openInProcess({ brokers: secure.listeners.REAUTH, idempotent: true, ...server.fields });
  await using delivery = new Delivery(sink);
  // It would be good for long, so that only what was refused is a reason for another one.
  server.content = { subject: "relay", lifetimeS: 600, claims: { aud: "others" } };
  const isTold = () => delivery.states.length > 0;
  const { offered } = await deliverUntil(delivery, topic.name, records, isTold, "the refusal");
  const [state] = delivery.states;
  assert.ok(state?.state === "blocked", JSON.stringify(state));
  assert.equal(state.code, "SASL_AUTHENTICATION_FAILED");
  assert.match(state.reason, /refused the token that http:\/\/.* gave to client "relay at the OAuth server"/);
  server.content = { subject: "relay" };
  delivery.poke();
  await offered;
  await delivery.drained();
  records.assertInOrder(await readTopic(secure.kafka.brokers, topic.name));
});

Deno.test("the sink takes a new secret into a running pipeline", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 1);
  await using server = new OAuthServer(secure);
  const fields = { brokers: secure.listeners.SASL_PLAINTEXT, ...server.fields };
  const sink = await openSink(kafkaConfig(fields), SYSTEM_CLOCK);
  const send = (generation: number) =>
    sink.deliver(recordPage(topic.name, [{ key: "k", value: "v" }]), generation);
  assert.equal((await send(1)).delivered.length, 2);
  server.secret = "another secret";
  await assert.rejects(sink.reconfigure(kafkaConfig(fields)), /invalid_client/);
  assert.equal((await send(1)).delivered.length, 2, "a configuration that does not work changes nothing");
  await sink.reconfigure(kafkaConfig({ ...fields, ...server.fields }));
  assert.equal((await send(1)).delivered.length, 2);
  await sink.close();
  assert.equal(await topic.count(), 3);
});

Deno.test("the sink says who refuses whom, and tells no secret and no token", async () => {
  const secure = await secureKafka();
  await using server = new OAuthServer(secure);
  const brokers = secure.listeners.SASL_PLAINTEXT;
  const wrong = await faultOf({ brokers, ...server.fields, sasl_oauth_client_secret: "wr0ng" });
  assert.equal(wrong.code, "OAUTH_SERVER_REFUSED");
  assert.match(wrong.reason, /\/oauth2\/token refuses client "relay at the OAuth server": invalid_client$/);
  const unoffered = await faultOf({ brokers: secure.listeners.SCRAM, ...server.fields });
  assert.equal(unoffered.code, "UNSUPPORTED_SASL_MECHANISM");
  const expired = { lifetimeS: -60 };
  const others = [{ claims: { aud: "others" } }, { claims: { iss: "https://elsewhere.example" } }, expired];
  for (const content of others) {
    server.content = { subject: "relay", ...content };
    const refused = await faultOf({ brokers, ...server.fields });
    assert.equal(refused.code, "SASL_AUTHENTICATION_FAILED");
    assert.match(
      refused.reason,
      /^SASL authentication failed: broker 127\.0\.0\.1:[0-9]+ refused the token that/,
    );
    assert.doesNotMatch(JSON.stringify([wrong, unoffered, refused]), /wr0ng|oauth secret|eyJ/);
  }
});
