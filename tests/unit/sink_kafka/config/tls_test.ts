import { FaultError, type Json } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { parseTls, withoutCertificates } from "../../../../plugins/sink_kafka/config/tls.ts";
import { encryptKey, issueCertificate, makeAuthority } from "../../../support/certificate.ts";

const AUTHORITY = await makeAuthority();
const FIRST = await issueCertificate(AUTHORITY, { subject: { CN: "relay" } });
const RENEWED = await issueCertificate(AUTHORITY, { subject: { CN: "relay" } });
const ANOTHER = await issueCertificate(AUTHORITY, { subject: { CN: "another" } });

/** A client's certificate as fields. */
const clientFields = ({ certificate, key }: typeof FIRST): Record<string, Json> => ({
  tls_enabled: true,
  tls_client_cert: certificate,
  tls_client_key: key,
});

Deno.test("parseTls() verifies brokers unless it is told not to", () => {
  assert.equal(parseTls({ tls_enabled: false }), undefined);
  assert.deepEqual(parseTls({ tls_enabled: true }), { skipVerify: false });
  assert.deepEqual(parseTls({ tls_enabled: true, tls_ca_cert: AUTHORITY.certificate }), {
    ca: AUTHORITY.certificate,
    skipVerify: false,
  });
  assert.equal(parseTls({ tls_enabled: true, tls_insecure_skip_verify: true })?.skipVerify, true);
});

Deno.test("parseTls() reads the client's certificate and decrypts its key", async () => {
  const plain = parseTls(clientFields(FIRST));
  assert.equal(plain?.client?.subject, "CN=relay");
  const encrypted = { ...FIRST, key: await encryptKey(FIRST.key, "pa55") };
  assert.deepEqual(parseTls({ ...clientFields(encrypted), tls_client_key_password: "pa55" }), plain);
  assert.throws(() => parseTls({ ...clientFields(FIRST), tls_client_key: "x" }), FaultError);
});

Deno.test("withoutCertificates() is the same for a renewed certificate, and not for another's", () => {
  const rest = (fields: Record<string, Json>) => JSON.stringify(withoutCertificates(parseTls(fields)!));
  const first = rest(clientFields(FIRST));
  assert.equal(rest({ ...clientFields(RENEWED), tls_ca_cert: AUTHORITY.certificate }), first);
  assert.notEqual(rest(clientFields(ANOTHER)), first);
  assert.notEqual(rest({ ...clientFields(FIRST), tls_insecure_skip_verify: true }), first);
});
