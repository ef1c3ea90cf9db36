/**
 * TLS against a real broker, and against servers that do it wrong: who is believed, what is offered, and what is told.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createPrivateKey } from "node:crypto";
import type { Fault, Json } from "@pg-tide/sdk";
import { openSink } from "../../../plugins/sink_kafka/sink.ts";
import {
  encryptKey,
  issueCertificate,
  makeAuthority,
  type TestCertificate,
} from "../../support/certificate.ts";
import { type ClientHello, fatalAlert, readClientHello, serverHello } from "../../support/client_hello.ts";
import { assertDelivers } from "../../support/kafka_configuration.ts";
import { RELAY_SUBJECT, type SecureKafka, secureKafka } from "../../support/kafka_secure.ts";
import { kafkaConfig } from "../../support/kafka_sink.ts";

type Fields = Readonly<Record<string, Json>>;

const PASSWORD = "the key's password";

function clientFields({ authority }: SecureKafka, { certificate, key }: TestCertificate): Fields {
  return {
    tls_enabled: true,
    tls_ca_cert: authority.certificate,
    tls_client_cert: certificate,
    tls_client_key: key,
  };
}

/** Open the sink and close it. @throws {FaultError} when it does not open */
async function opens(fields: Fields): Promise<void> {
  const sink = await openSink(kafkaConfig(fields));
  await sink.close();
}

/** Why the sink does not open. */
async function faultOf(fields: Fields): Promise<Exclude<Fault, { kind: "hosts" }>> {
  const { fault } = await opens(fields).then(() => ({ fault: undefined }), (error) => error);
  assert.ok(
    fault !== undefined && fault.kind !== "hosts",
    `${JSON.stringify(fault)}, expected a fault that is told`,
  );
  return fault;
}

Deno.test("the Kafka sink takes certificates and keys as paths, as PEM texts and as references", async (t) => {
  const secure = await secureKafka();
  const { authority: { certificate: ca }, client: { certificate, key } } = secure;
  const files = {
    "/etc/certs/ca.pem": ca,
    "/etc/certs/client.pem": certificate,
    "/etc/certs/client-key.pem": key,
    "/run/secrets/password": `${PASSWORD}\n`,
    "/run/secrets/client-key.pem": await encryptKey(key, PASSWORD),
  };
  const env = { KAFKA_CERTS: "/etc/certs", KAFKA_CLIENT_KEY: key.replaceAll("\n", "\\n") };
  const paths = { tls_ca_cert: "/etc/certs/ca.pem", tls_client_cert: "/etc/certs/client.pem" };
  const ways: Readonly<Record<string, Fields>> = {
    "paths": { ...paths, tls_client_key: "/etc/certs/client-key.pem" },
    "PEM texts": { tls_ca_cert: ca, tls_client_cert: certificate, tls_client_key: key },
    "files by reference": {
      tls_ca_cert: "${file:/etc/certs/ca.pem}",
      tls_client_cert: "${file:/etc/certs/client.pem}",
      tls_client_key: "${file:/etc/certs/client-key.pem}",
    },
    "paths by reference, and a key in a variable of one line": {
      tls_ca_cert: "${env:KAFKA_CERTS}/ca.pem",
      tls_client_cert: "${env:KAFKA_CERTS}/client.pem",
      tls_client_key: "${env:KAFKA_CLIENT_KEY}",
    },
    "an encrypted key and a file with its password": {
      ...paths,
      tls_client_key: "/run/secrets/client-key.pem",
      tls_client_key_password: "${file:/run/secrets/password}",
    },
  };
  for (const [what, fields] of Object.entries(ways)) {
    await t.step(what, async () => {
      const topic = `tls-${crypto.randomUUID()}`;
      const connection = { sink_type: "kafka", brokers: secure.listeners.SSL, topic, tls_enabled: true };
      await assertDelivers(secure.kafka, { ...connection, ...fields }, { files, env });
    });
  }
});

Deno.test("the Kafka sink shows the broker keys of every kind, and the authorities between", async (t) => {
  const secure = await secureKafka();
  const rsa = await secure.issue({ subject: RELAY_SUBJECT, hosts: [], keyType: "RSA" });
  const { client } = secure;
  const kinds: Readonly<Record<string, TestCertificate>> = {
    "RSA, PKCS#8": rsa,
    "RSA, PKCS#1": {
      ...rsa,
      key: String(createPrivateKey(rsa.key).export({ type: "pkcs1", format: "pem" })),
    },
    "EC, SEC 1": {
      ...client,
      key: String(createPrivateKey(client.key).export({ type: "sec1", format: "pem" })),
    },
    "with a chain": { ...client, certificate: `${client.certificate}${secure.authority.certificate}` },
  };
  for (const [kind, certificate] of Object.entries(kinds)) {
    await t.step(kind, () => opens({ brokers: secure.listeners.SSL, ...clientFields(secure, certificate) }));
  }
});

Deno.test("the Kafka sink believes brokers by any authority of a bundle, by name and by number", async () => {
  const { authority, listeners } = await secureKafka();
  const tls = {
    tls_enabled: true,
    tls_ca_cert: `${(await makeAuthority("another")).certificate}${authority.certificate}`,
  };
  const port = listeners.TLS.split(":")[1];
  for (const brokers of [`127.0.0.1:${port}`, `localhost:${port}`]) await opens({ brokers, ...tls });
});

Deno.test("the Kafka sink believes no broker but by its authority and name, unless it is told to", async (t) => {
  const { authority, listeners } = await secureKafka();
  const tls = { tls_enabled: true, tls_ca_cert: authority.certificate };
  const foreign = (await makeAuthority("another")).certificate;
  const cases: Readonly<Record<string, readonly [Fields, reason: RegExp, advice: RegExp]>> = {
    "an authority that did not sign": [
      { brokers: listeners.TLS, ...tls, tls_ca_cert: foreign },
      /unable to verify|self.signed|UnknownIssuer/i,
      /^Verify that tls_ca_cert is the authority/,
    ],
    "the authorities that everybody trusts": [
      { brokers: listeners.TLS, tls_enabled: true },
      /unable to verify|self.signed|UnknownIssuer/i,
      /^Set tls_ca_cert to the authority/,
    ],
  };
  for (const [what, [fields, reason, advice]] of Object.entries(cases)) {
    await t.step(what, async () => {
      const fault = await faultOf(fields);
      assert.ok(fault.kind === "configuration");
      assert.equal(fault.code, "TLS_CERTIFICATE");
      assert.match(
        fault.reason,
        new RegExp(`^Cannot trust Kafka broker ${fields["brokers"]}: .*(${reason.source})`, "i"),
      );
      assert.match(fault.advice, advice);
      await opens({ brokers: fields["brokers"]!, tls_enabled: true, tls_insecure_skip_verify: true });
    });
  }
});

const REFUSED: Readonly<
  Record<string, (secure: SecureKafka) => Promise<readonly [Fields, reason: RegExp, advice: RegExp]>>
> = {
  "no certificate": ({ authority }) =>
    Promise.resolve([
      { tls_enabled: true, tls_ca_cert: authority.certificate },
      /^Cannot talk TLS to Kafka broker 127\.0\.0\.1:\d+: it wants a client certificate$/,
      /^Set tls_client_cert and tls_client_key/,
    ]),
  "a certificate of an authority that the broker does not trust": async (secure) => [
    clientFields(
      secure,
      await issueCertificate(await makeAuthority("another"), { subject: { CN: "relay" } }),
    ),
    /^Kafka broker 127\.0\.0\.1:\d+ refuses the client certificate "CN=relay": /,
    /signed by an authority that the brokers trust/,
  ],
  "a certificate that has expired": async (secure) => [
    clientFields(secure, await secure.issue({ subject: { O: "a", CN: "late" }, days: [-3, -1] })),
    /refuses the client certificate "CN=late,O=a": it expired on \d{4}-\d\d-\d\dT/,
    /a file that changes is read again by itself$/,
  ],
  "a certificate that is not good yet": async (secure) => [
    clientFields(secure, await secure.issue({ subject: { CN: "early" }, days: [1, 3] })),
    /refuses the client certificate "CN=early": it is not good before \d{4}-\d\d-\d\dT/,
    /good now/,
  ],
};

for (const [what, refused] of Object.entries(REFUSED)) {
  Deno.test(`the Kafka sink tells why a broker refuses it: ${what}`, async () => {
    const secure = await secureKafka();
    const [fields, reason, advice] = await refused(secure);
    const fault = await faultOf({ brokers: secure.listeners.SSL, ...fields });
    assert.ok(fault.kind === "configuration", JSON.stringify(fault));
    assert.equal(fault.code, "TLS_CLIENT_CERTIFICATE");
    assert.match(fault.reason, reason);
    assert.match(fault.advice, advice);
  });
}

Deno.test("the Kafka sink asks no broker with a certificate or key that it cannot use", async () => {
  const secure = await secureKafka();
  const good = clientFields(secure, secure.client);
  const cases: readonly (readonly [Fields, reason: RegExp])[] = [
    [{ tls_ca_cert: "garbage" }, /^Cannot use tls_ca_cert: it holds no certificate/],
    [{ tls_client_cert: "garbage" }, /^Cannot use tls_client_cert: it holds no certificate/],
    [{ tls_client_key: "garbage" }, /^Cannot use tls_client_key: it holds no private key/],
    [
      { tls_client_key: (await secure.issue({ subject: { CN: "x" } })).key },
      /it is not the key of the certificate "CN=relay,O=pg-tide"/,
    ],
    [{ tls_client_key: await encryptKey(secure.client.key, PASSWORD) }, /the private key is encrypted/],
  ];
  let asked = 0;
  await using server = await rawServer(() => void asked++);
  for (const [fields, reason] of cases) {
    const fault = await faultOf({ brokers: server.address, ...good, ...fields });
    assert.deepEqual([fault.kind, fault.code], ["configuration", "TLS_CONFIGURATION"]);
    assert.match(fault.reason, reason);
  }
  assert.equal(asked, 0);
});

/** A server on this machine that is told of every first chunk of bytes. */
async function rawServer(
  answer: (client: Socket, first: Uint8Array) => void,
): Promise<AsyncDisposable & { readonly address: string; readonly port: number }> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("error", () => {}).once("data", (first) => answer(client, first));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    port,
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

Deno.test("the Kafka sink offers TLS 1.2 and 1.3 only, and asks for the broker by its name", async () => {
  const hellos: ClientHello[] = [];
  await using server = await rawServer((client, first) => {
    hellos.push(readClientHello(first));
    client.destroy();
  });
  for (const host of ["localhost", "127.0.0.1"]) {
    await faultOf({ brokers: `${host}:${server.port}`, tls_enabled: true });
  }
  assert.deepEqual(hellos.map(({ serverName }) => serverName), ["localhost", undefined]);
  for (const { versions } of hellos) assert.deepEqual(versions.toSorted(), [0x0303, 0x0304]);
});

const ANSWERS: Readonly<Record<string, readonly [Uint8Array, code: string, reason: RegExp]>> = {
  "TLS 1.1": [serverHello(0x0302), "TLS_VERSION", /it offers no TLS 1\.2 or newer$/],
  "that it is too new": [fatalAlert(70), "TLS_VERSION", /it offers no TLS 1\.2 or newer$/],
  "that nothing suits": [fatalAlert(40), "TLS_HANDSHAKE", /it refuses what is offered/],
  "something that is no TLS": [
    new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "TLS_NOT_OFFERED",
    /corrupt message/,
  ],
};

for (const [what, [bytes, code, reason]] of Object.entries(ANSWERS)) {
  Deno.test(`the Kafka sink refuses a server that answers ${what}, and says so`, async () => {
    await using server = await rawServer((client) => client.write(bytes));
    const fault = await faultOf({ brokers: server.address, tls_enabled: true });
    assert.ok(fault.kind === "configuration", JSON.stringify(fault));
    assert.equal(fault.code, code);
    assert.match(fault.reason, /^Cannot talk TLS to Kafka broker 127\.0\.0\.1:\d+: /);
    assert.match(fault.reason, reason);
  });
}

Deno.test("the Kafka sink refuses brokers whose certificates have expired, or are made for another", async (t) => {
  const authority = await makeAuthority();
  const certificates: Readonly<Record<string, readonly [TestCertificate, advice: RegExp]>> = {
    "expired": [
      await issueCertificate(authority, { subject: { CN: "broker" }, days: [-3, -1] }),
      /its certificate has not expired$/,
    ],
    "made for a name, and asked by number": [
      await issueCertificate(authority, { subject: { CN: "broker" }, hosts: ["localhost"] }),
      /^Use a name in brokers that the certificate is made for/,
    ],
    "made for another number": [
      await issueCertificate(authority, { subject: { CN: "broker" }, hosts: ["10.0.0.1"] }),
      /^Use a name in brokers that the certificate is made for/,
    ],
  };
  for (const [what, [{ certificate: cert, key }, advice]] of Object.entries(certificates)) {
    await t.step(what, async () => {
      using server = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
      const serving = serve(server);
      const brokers = `127.0.0.1:${(server.addr as Deno.NetAddr).port}`;
      const fault = await faultOf({ brokers, tls_enabled: true, tls_ca_cert: authority.certificate });
      assert.deepEqual([fault.kind, fault.code], ["configuration", "TLS_CERTIFICATE"]);
      assert.match(fault.kind === "configuration" ? fault.advice : "", advice);
      server.close();
      await serving;
    });
  }
});

/** Shake hands with whoever comes, until the server is closed. */
async function serve(server: Deno.TlsListener): Promise<void> {
  try {
    for await (const client of server) {
      await client.handshake().catch(() => {});
      client.close();
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
