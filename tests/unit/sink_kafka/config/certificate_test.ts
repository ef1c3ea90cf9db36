import { type Fault, FaultError } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readAuthorities, readClientCertificate } from "../../../../plugins/sink_kafka/config/certificate.ts";
import { encryptKey, issueCertificate, makeAuthority } from "../../../support/certificate.ts";

const AUTHORITY = await makeAuthority();
const OTHER_AUTHORITY = await makeAuthority("another");
const CLIENT = await issueCertificate(AUTHORITY, { subject: { O: "pg-tide", CN: "relay" } });
const RSA = await issueCertificate(AUTHORITY, { subject: { CN: "rsa" }, keyType: "RSA" });

/** Encrypted by a cipher of old (PKCS#8 with 3DES), with the password "secret". */
const OLD_CIPHER = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAjszJtIIiLmhwICCAAw
DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQI/JHL6xf+50cEgZAcHzWkf7T+Edxq
LWZH/aEF9lkJ97bPtnekZSZeiv6RkMaYn87w0hXR+MOd8hlfFWY8IQeJeEdvXD3P
jvLqtHn3jBzIyA94OtariyrKxwC7k0Gz8yz2gBYF5ZxuL+iY0XkR9pPU0BYkFbsQ
WQ/qOQbDRqsvEvfMHvQW8/k3I0LZ8KD3cQCs78fRTCCXsHDs6lg=
-----END ENCRYPTED PRIVATE KEY-----
`;

/** The fault of what is thrown. */
function faultOf(call: () => unknown): Extract<Fault, { kind: "configuration" }> {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof FaultError && error.fault.kind === "configuration", String(error));
    assert.equal(error.fault.code, "TLS_CONFIGURATION");
    return error.fault;
  }
  throw new Error("Nothing was thrown");
}

/** Whether a PEM text is the private key of a certificate, and not encrypted. */
function isKeyOf(certificate: string, key: string): boolean {
  assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/);
  const spki = { type: "spki", format: "pem" } as const;
  return createPublicKey(key).export(spki) === new X509Certificate(certificate).publicKey.export(spki);
}

Deno.test("readAuthorities() takes every certificate of a bundle, and nothing else", () => {
  const both = `${AUTHORITY.certificate}${OTHER_AUTHORITY.certificate}`;
  const noise =
    `subject=CN = a\n${AUTHORITY.certificate}\n# and\n${OTHER_AUTHORITY.certificate}${CLIENT.key}`;
  assert.equal(readAuthorities("tls_ca_cert", both), both);
  assert.equal(readAuthorities("tls_ca_cert", noise), both);
  assert.equal(readAuthorities("tls_ca_cert", both.replaceAll("\n", "\r\n")), both);
  assert.equal(
    readAuthorities("tls_ca_cert", both.replaceAll("\n", "\\n")),
    both,
    "as in an environment file",
  );
});

Deno.test("readAuthorities() names the certificate of a bundle that cannot be read", () => {
  const broken = AUTHORITY.certificate.replace(/\n.{8}/, "\nAAAAAAAA");
  assert.equal(
    faultOf(() => readAuthorities("tls_ca_cert", `${AUTHORITY.certificate}${broken}`)).reason,
    "Cannot use tls_ca_cert: certificate 2 of 2 in it cannot be read, expected X.509 as PEM",
  );
});

Deno.test("readAuthorities() says what a text holds in place of a certificate, and not the text", () => {
  const none = (found: string) =>
    `Cannot use tls_ca_cert: it holds no certificate${found}, expected PEM ("-----BEGIN CERTIFICATE-----")`;
  const cases = [["", ""], ["0\x82\x03 secret", ""], [CLIENT.key, " but private key"]] as const;
  for (const [text, found] of cases) {
    const fault = faultOf(() => readAuthorities("tls_ca_cert", text));
    assert.equal(fault.reason, none(found));
    assert.match(fault.advice, /openssl x509 -inform der .*openssl pkcs12/);
  }
});

Deno.test("readClientCertificate() takes a certificate with its key, and tells its holder and its days", () => {
  const { cert, key, subject, validMs } = readClientCertificate(CLIENT.certificate, CLIENT.key, undefined);
  assert.equal(cert, CLIENT.certificate);
  assert.ok(isKeyOf(cert, key));
  assert.equal(subject, "CN=relay,O=pg-tide");
  const [from, to] = validMs;
  assert.equal(to - from, 2 * 86_400_000);
  assert.ok(from < Date.now() && Date.now() < to);
});

Deno.test("readClientCertificate() keeps the certificates of intermediate authorities behind the client's", () => {
  const chain = `${CLIENT.certificate}${AUTHORITY.certificate}`;
  assert.equal(readClientCertificate(chain, CLIENT.key, undefined).cert, chain);
  const together = `${CLIENT.key}${chain}`;
  assert.equal(readClientCertificate(together, together, undefined).cert, chain, "everything in one file");
});

Deno.test("readClientCertificate() takes keys as PKCS#1, SEC 1 and PKCS#8, also encrypted", async () => {
  const rsa = createPrivateKey(RSA.key).export({ type: "pkcs1", format: "pem" });
  const ec = createPrivateKey(CLIENT.key).export({ type: "sec1", format: "pem" });
  const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const keys = [
    [RSA, RSA.key, undefined],
    [RSA, rsa, undefined],
    [CLIENT, ec, undefined],
    [CLIENT, `${parameters}${ec}`, undefined],
    [CLIENT, await encryptKey(CLIENT.key, "pa55"), "pa55"],
    [RSA, await encryptKey(RSA.key, "pa55"), "pa55"],
    [CLIENT, CLIENT.key, "not needed"],
  ] as const;
  for (const [{ certificate }, key, password] of keys) {
    assert.ok(isKeyOf(certificate, readClientCertificate(certificate, String(key), password).key));
  }
});

Deno.test("readClientCertificate() names the field that is wrong, says what to do, and shows no key", async () => {
  const { certificate, key } = CLIENT;
  const encrypted = await encryptKey(key, "pa55");
  const broken = key.replace(/\n.{8}/, "\nAAAAAAAA");
  const cases = [
    ["hello", key, undefined, /^Cannot use tls_client_cert: it holds no certificate, expected PEM/, /pkcs12/],
    [key, key, undefined, /tls_client_cert: it holds no certificate but private key/, /pkcs12/],
    [
      certificate,
      "hello",
      undefined,
      /^Cannot use tls_client_key: it holds no private key, expected/,
      /pkcs12/,
    ],
    [
      certificate,
      certificate,
      undefined,
      /tls_client_key: it holds no private key but certificate/,
      /pkcs12/,
    ],
    [certificate, broken, undefined, /tls_client_key: the private key cannot be read/, /openssl pkey/],
    [
      certificate,
      encrypted,
      undefined,
      /key is encrypted, expected .* in tls_client_key_password$/,
      /pkey -in/,
    ],
    [
      certificate,
      encrypted,
      "wrong",
      /cannot be decrypted with tls_client_key_password$/,
      /Check tls_client/,
    ],
    [
      certificate,
      OLD_CIPHER,
      "secret",
      /cannot be decrypted/,
      /PKCS#8 with AES.*openssl pkcs8 -topk8 -v2 aes/,
    ],
    [
      RSA.certificate,
      key,
      undefined,
      /tls_client_key: it is not the key of the certificate "CN=rsa"/,
      /first$/,
    ],
  ] as const;
  for (const [cert, keyText, password, reason, advice] of cases) {
    const fault = faultOf(() => readClientCertificate(cert, keyText, password));
    assert.match(fault.reason, reason);
    assert.match(fault.advice, advice);
    assert.doesNotMatch(JSON.stringify(fault), /wrong|pa55|MII|MIG/);
  }
});

Deno.test("readClientCertificate() writes the subject as Kafka names its holder, whatever stands in it", async () => {
  const odd = await issueCertificate(AUTHORITY, {
    subject: { C: "DE", O: 'A, B + "C" <\\>;', OU: "  spaced ", CN: "#relay=ü" },
  });
  assert.equal(
    readClientCertificate(odd.certificate, odd.key, undefined).subject,
    'CN=\\#relay\\=ü,OU=\\ \\ spaced\\ ,O=A\\, B \\+ \\"C\\" \\<\\\\\\>\\;,C=DE',
  );
});
