/**
 * A real Apache Kafka that asks who one is, and what one may do: one node with a listener for each way to authenticate, and
 * an authorizer that allows nobody anything but its super users and whom it was told to.
 *
 * To add a way to authenticate, add a listener to {@link LISTENERS}: its settings concern no other one.
 *
 * @module
 */

import { join } from "node:path";
import { type CertificateContent, issueCertificate, makeAuthority } from "./certificate.ts";
import type { TestAuthority, TestCertificate } from "./certificate.ts";
import {
  JVM_OPTIONS,
  type KafkaListener,
  type KafkaOptions,
  type KafkaServer,
  type SharedKafka,
} from "./kafka.ts";
import { sharedKafka, startKafka } from "./kafka.ts";
import { freePort } from "./port.ts";
import { ISSUER, makeTokenKey, signToken, TOKEN_AUDIENCE, type TokenContent } from "./test_token.ts";

/** A user with a password, who has it for every mechanism. */
export interface TestUser {
  readonly username: string;
  readonly password: string;
}

/** May do everything; so may whoever is anonymous, and {@link RELAY_SUBJECT}. */
export const RELAY_USER: TestUser = { username: "relay", password: "relay's secret" };

/** May do nothing, unless a test allows it something. */
export const LIMITED_USER: TestUser = { username: "limited", password: "limited's secret" };

/** The subject of the certificate that may do everything. */
export const RELAY_SUBJECT = { O: "pg-tide", CN: "relay" } as const;

const USERS = [RELAY_USER, LIMITED_USER];

const SECURITY = "org.apache.kafka.common.security";

/** What each mechanism wants from a broker, by the names of settings behind the mechanism's. */
const MECHANISMS = {
  "PLAIN": {
    "sasl.jaas.config": `${SECURITY}.plain.PlainLoginModule required ${
      USERS.map(({ username, password }) => `user_${username}="${password}"`).join(" ")
    };`,
  },
  "SCRAM-SHA-256": { "sasl.jaas.config": `${SECURITY}.scram.ScramLoginModule required;` },
  "SCRAM-SHA-512": { "sasl.jaas.config": `${SECURITY}.scram.ScramLoginModule required;` },
  // Without a claim, the broker makes no token for itself; it verifies those of others with the key that it was given.
  "OAUTHBEARER": {
    "sasl.jaas.config": `${SECURITY}.oauthbearer.OAuthBearerLoginModule required;`,
    "sasl.server.callback.handler.class": `${SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler`,
  },
} as const;

type Mechanism = keyof typeof MECHANISMS;

interface SecureListener extends Pick<KafkaListener, "protocol" | "host"> {
  /** Those that it offers. */
  readonly mechanisms?: readonly Mechanism[];
  /** Its own settings. */
  readonly settings?: Readonly<Record<string, string>>;
}

const ALL_MECHANISMS = Object.keys(MECHANISMS) as Mechanism[];

/** For how long the listener REAUTH believes a connection, in milliseconds. */
export const REAUTH_MS = 3_000;

/** The listeners beside PLAINTEXT, where everybody is anonymous. */
const LISTENERS = {
  SASL_PLAINTEXT: { protocol: "SASL_PLAINTEXT", mechanisms: ALL_MECHANISMS },
  /** Told to clients by its name, as that of SSL is by its address. */
  SASL_SSL: { protocol: "SASL_SSL", host: "localhost", mechanisms: ALL_MECHANISMS },
  /** Wants a client's certificate. */
  SSL: { protocol: "SSL", settings: { "ssl.client.auth": "required" } },
  /** TLS, and whoever comes is anonymous. */
  TLS: { protocol: "SSL" },
  /** Knows one mechanism only. */
  SCRAM: { protocol: "SASL_PLAINTEXT", mechanisms: ["SCRAM-SHA-256"] },
  /** Wants to be shown again who one is, within {@link REAUTH_MS}. */
  REAUTH: {
    protocol: "SASL_PLAINTEXT",
    mechanisms: ALL_MECHANISMS,
    settings: { "connections.max.reauth.ms": String(REAUTH_MS) },
  },
} as const satisfies Readonly<Record<string, SecureListener>>;

/** The listeners of a {@link SecureKafka} that authenticate, each in its own way. */
export type ListenerName = keyof typeof LISTENERS;

/** What clients in other processes need to know. */
interface SecureDescription {
  /** `host:port` of each listener. */
  readonly listeners: Readonly<Record<ListenerName, string>>;
  readonly authority: TestAuthority;
  readonly client: TestCertificate;
  readonly tokenKey: JsonWebKey;
}

/** A secure broker that several test files may use at once. */
export interface SecureKafka extends Omit<SecureDescription, "tokenKey"> {
  /** Through its listener PLAINTEXT, where everything is allowed. */
  readonly kafka: SharedKafka;
  /** The authority that signed the broker's certificate, and whose certificates it trusts. */
  readonly authority: TestAuthority;
  /** The certificate of {@link RELAY_SUBJECT}. */
  readonly client: TestCertificate;
  /** A certificate that the broker trusts. */
  issue(content: CertificateContent): Promise<TestCertificate>;
  /** A token that the broker trusts. */
  token(content: TokenContent): Promise<string>;
}

/** A secure broker of one's own. */
export interface SecureKafkaServer extends SecureKafka, AsyncDisposable {
  readonly kafka: KafkaServer;
  /** The file by which {@link secureKafka} finds the broker. */
  readonly descriptionFile: string;
}

/** Start a secure broker. Its settings win over those that this module makes. */
export async function startSecureKafka(
  options: Pick<KafkaOptions, "version" | "settings"> = {},
): Promise<SecureKafkaServer> {
  const folder = await Deno.makeTempDir({ prefix: "pg-tide-kafka-" });
  const ports = Object.entries(LISTENERS).map(([name, listener]): KafkaListener => ({
    ...listener as SecureListener,
    name,
    port: freePort(),
  }));
  const authority = await makeAuthority();
  const { privateKey, keySet } = await makeTokenKey();
  const keySetFile = join(folder, "token-keys.json");
  await Deno.writeTextFile(keySetFile, JSON.stringify(keySet));
  const description: SecureDescription = {
    listeners: Object.fromEntries(
      ports.map(({ name, host = "127.0.0.1", port }) => [name, `${host}:${port}`]),
    ) as Record<ListenerName, string>,
    authority,
    client: await issueCertificate(authority, { subject: RELAY_SUBJECT, hosts: [] }),
    tokenKey: privateKey,
  };
  const descriptionFile = join(folder, "secure.json");
  await Deno.writeTextFile(descriptionFile, JSON.stringify(description));
  const kafka = await startKafka({
    ...options,
    folder,
    listeners: ports,
    settings: { ...await settingsOf(authority, `file://${keySetFile}`), ...options.settings },
    formatArgs: SCRAM_USERS,
    jvmOptions: [...JVM_OPTIONS, `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://${keySetFile}`],
  });
  return {
    ...secureKafkaOf(kafka, description),
    kafka,
    descriptionFile,
    [Symbol.asyncDispose]: () => kafka.stop(),
  };
}

let shared: Promise<SecureKafka> | undefined;

/**
 * The broker that the test runner has started, which is the one of {@link sharedKafka} too, and described in the file
 * `TIDE_TEST_KAFKA_SECURE`; without the runner one is started for this test file and ends with it.
 */
export function secureKafka(): Promise<SecureKafka> {
  shared ??= findSecureKafka(Deno.env.get("TIDE_TEST_KAFKA_SECURE"));
  return shared;
}

async function findSecureKafka(descriptionFile: string | undefined): Promise<SecureKafka> {
  if (descriptionFile === undefined) return await startSecureKafka();
  return secureKafkaOf(await sharedKafka(), JSON.parse(await Deno.readTextFile(descriptionFile)));
}

function secureKafkaOf(
  kafka: SharedKafka,
  { tokenKey, ...description }: SecureDescription,
): SecureKafka {
  return {
    ...description,
    kafka,
    issue: (content) => issueCertificate(description.authority, content),
    token: (content) => signToken(tokenKey, content),
  };
}

const SCRAM_USERS = USERS.flatMap(({ username, password }) =>
  ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${username},password=${password}]`,
  ])
);

async function settingsOf(authority: TestAuthority, keySetUrl: string): Promise<Record<string, string>> {
  const server = await issueCertificate(authority, { subject: { CN: "broker" } });
  return {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": [
      "User:ANONYMOUS",
      `User:${RELAY_USER.username}`,
      `User:CN=${RELAY_SUBJECT.CN},O=${RELAY_SUBJECT.O}`,
    ].join(";"),
    "ssl.keystore.type": "PEM",
    "ssl.keystore.certificate.chain": server.certificate,
    "ssl.keystore.key": server.key,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.certificates": authority.certificate,
    "sasl.oauthbearer.jwks.endpoint.url": keySetUrl,
    "sasl.oauthbearer.expected.audience": TOKEN_AUDIENCE,
    "sasl.oauthbearer.expected.issuer": ISSUER,
    ...Object.fromEntries(
      Object.entries(LISTENERS).flatMap(([name, listener]) => settingsFor(name, listener)),
    ),
  };
}

function settingsFor(name: string, { mechanisms, settings = {} }: SecureListener): [string, string][] {
  const prefix = `listener.name.${name.toLowerCase()}.`;
  const all = Object.entries(settings);
  if (mechanisms !== undefined) all.push(["sasl.enabled.mechanisms", mechanisms.join(",")]);
  for (const mechanism of mechanisms ?? []) {
    for (const [setting, value] of Object.entries(MECHANISMS[mechanism])) {
      all.push([`${mechanism.toLowerCase()}.${setting}`, value]);
    }
  }
  return all.map(([setting, value]) => [`${prefix}${setting}`, value]);
}
