import assert from "node:assert/strict";
import kafkajs, { type Admin, type KafkaConfig } from "kafkajs";
import { LIMITED_USER, RELAY_USER, type SecureKafka, secureKafka, type TestUser } from "./kafka_secure.ts";
import { testTopic } from "./test_topic.ts";

const PASSWORD_LISTENERS = ["SASL_PLAINTEXT", "SASL_SSL"] as const;
const MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;

/** Ask something as a client of that kind. */
async function ask<Answer>(
  brokers: string,
  options: Partial<KafkaConfig>,
  question: (admin: Admin) => Promise<Answer>,
): Promise<Answer> {
  const quiet = { logLevel: kafkajs.logLevel.NOTHING, retry: { retries: 0 } };
  const admin = new kafkajs.Kafka({ brokers: [brokers], ...quiet, ...options }).admin();
  try {
    await admin.connect();
    return await question(admin);
  } finally {
    await admin.disconnect();
  }
}

const listTopics = (admin: Admin) => admin.listTopics();

/** Passwords over TLS where the listener wants it. */
function withPassword(
  { authority }: SecureKafka,
  listener: typeof PASSWORD_LISTENERS[number],
  mechanism: typeof MECHANISMS[number],
  { username, password }: TestUser,
): Partial<KafkaConfig> {
  // The type of kafkajs ties a mechanism to its options, one by one.
  const sasl = { mechanism, username, password } as NonNullable<KafkaConfig["sasl"]>;
  return { sasl, ...(listener === "SASL_SSL" && { ssl: { ca: [authority.certificate] } }) };
}

for (const listener of PASSWORD_LISTENERS) {
  for (const mechanism of MECHANISMS) {
    Deno.test(`the secure broker takes the right password only, by ${mechanism} at ${listener}`, async () => {
      const secure = await secureKafka();
      await using topic = await testTopic(secure.kafka, 1);
      const listWith = (user: TestUser) =>
        ask(secure.listeners[listener], withPassword(secure, listener, mechanism, user), listTopics);
      assert.ok((await listWith(RELAY_USER)).includes(topic.name));
      await assert.rejects(listWith({ ...RELAY_USER, password: "wrong" }), /authentication/i);
    });
  }
}

Deno.test("the secure broker takes tokens of its issuer only", async () => {
  const secure = await secureKafka();
  const listWith = (value: string) => {
    const sasl = { mechanism: "oauthbearer", oauthBearerProvider: () => Promise.resolve({ value }) } as const;
    return ask(secure.listeners.SASL_PLAINTEXT, { sasl }, listTopics);
  };
  await listWith(await secure.token({ subject: "relay" }));
  await assert.rejects(listWith(await secure.token({ subject: "relay", claims: { aud: "another" } })));
  await assert.rejects(listWith(`${await secure.token({ subject: "relay" })}A`));
});

Deno.test("the secure broker wants a certificate of its authority at SSL, and none at TLS", async () => {
  const secure = await secureKafka();
  const ca = [secure.authority.certificate];
  const { certificate: cert, key } = secure.client;
  await ask(secure.listeners.SSL, { ssl: { ca, cert, key } }, listTopics);
  await assert.rejects(ask(secure.listeners.SSL, { ssl: { ca } }, listTopics));
  await ask(secure.listeners.TLS, { ssl: { ca } }, listTopics);
});

Deno.test("the secure broker allows its super users everything, and others nothing", async () => {
  const secure = await secureKafka();
  await using topic = await testTopic(secure.kafka, 1);
  const describe = (user: TestUser) =>
    ask(
      secure.listeners.SASL_PLAINTEXT,
      withPassword(secure, "SASL_PLAINTEXT", "plain", user),
      (admin) => admin.fetchTopicOffsets(topic.name),
    );
  assert.equal((await describe(RELAY_USER)).length, 1);
  await assert.rejects(describe(LIMITED_USER), /authori[sz]ed/i);
});
