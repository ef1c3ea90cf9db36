/**
 * Certificates and private keys as a configuration gives them: PEM texts. Pure.
 *
 * They are read before any broker is asked: what TLS says of a bad one names no field, or is silence.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { FaultError, misconfigured } from "@pg-tide/sdk";

/** A client's certificate, with what must be told of it when a broker refuses it. */
export interface ClientCertificate {
  /** The certificate, then those of the authorities between it and the root. */
  readonly cert: string;
  /** PKCS#8, not encrypted. */
  readonly key: string;
  /** Its subject as RFC 2253 has it, which is the name that Kafka gives its holder. */
  readonly subject: string;
  /** From and to when it is good, in milliseconds since 1970. */
  readonly validMs: readonly [from: number, to: number];
}

const PEM_REGEXP = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

const CONVERT =
  "A key store (JKS, PKCS#12) must be converted: openssl pkcs12 -in keystore.p12 -out client.pem -nodes";

/**
 * The certificates in a text, as PEM and nothing else.
 *
 * @param field whose value the text is
 * @throws {FaultError} when there is none, or one cannot be read
 */
export function readAuthorities(field: string, text: string): string {
  return readCertificates(field, text).map(({ pem }) => pem).join("");
}

/**
 * A client's certificate and its key.
 *
 * @param password of the key, if it is encrypted
 * @throws {FaultError} when one of them cannot be read, or they do not belong together
 */
export function readClientCertificate(
  certText: string,
  keyText: string,
  password: string | undefined,
): ClientCertificate {
  const chain = readCertificates("tls_client_cert", certText);
  const key = readKey(keyText, password);
  const { certificate } = chain[0]!;
  const subject = nameOf(certificate.subject);
  if (!certificate.checkPrivateKey(key)) {
    throw unusable(
      "tls_client_key",
      `it is not the key of the certificate "${subject}" in tls_client_cert`,
      "Set tls_client_key to the private key that the certificate was made for. If tls_client_cert holds several certificates, the " +
        "client's own must come first",
    );
  }
  return {
    cert: chain.map(({ pem }) => pem).join(""),
    key: String(key.export({ type: "pkcs8", format: "pem" })),
    subject,
    validMs: [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)],
  };
}

interface ReadCertificate {
  readonly pem: string;
  readonly certificate: X509Certificate;
}

function readCertificates(field: string, text: string): ReadCertificate[] {
  const blocks = blocksOf(text).filter(({ title }) => /CERTIFICATE$/.test(title));
  if (blocks.length === 0) {
    throw unusable(
      field,
      `it holds no certificate${foundInstead(text)}, expected PEM ("-----BEGIN CERTIFICATE-----")`,
      `Set ${field} to a PEM file or text with the certificate. A DER file must be converted: openssl x509 -inform der -in ` +
        `cert.der -out cert.pem. ${CONVERT}`,
    );
  }
  return blocks.map(({ pem }, i) => {
    try {
      return { pem: `${pem}\n`, certificate: new X509Certificate(pem) };
    } catch {
      throw unusable(
        field,
        `certificate ${i + 1} of ${blocks.length} in it cannot be read, expected X.509 as PEM`,
        `Check that the file was copied whole: openssl x509 -noout -text -in cert.pem must show the certificate`,
      );
    }
  });
}

function readKey(text: string, password: string | undefined): KeyObject {
  const block = blocksOf(text).find(({ title }) => /PRIVATE KEY$/.test(title));
  if (block === undefined) {
    throw unusable(
      "tls_client_key",
      `it holds no private key${foundInstead(text)}, expected PEM ("-----BEGIN PRIVATE KEY-----")`,
      `Set tls_client_key to a PEM file or text with the private key. ${CONVERT}`,
    );
  }
  const encrypted = block.title.startsWith("ENCRYPTED") || block.pem.includes("ENCRYPTED\n");
  if (encrypted && password === undefined) {
    throw unusable(
      "tls_client_key",
      "the private key is encrypted, expected its password in tls_client_key_password",
      "Set tls_client_key_password, or use a key that is not encrypted: openssl pkey -in encrypted.pem -out client-key.pem",
    );
  }
  try {
    return createPrivateKey(encrypted ? { key: block.pem, passphrase: password! } : block.pem);
  } catch {
    throw encrypted ? notDecrypted() : unusable(
      "tls_client_key",
      "the private key cannot be read, expected PKCS#8, PKCS#1 or SEC 1 as PEM",
      "Check that the file was copied whole: openssl pkey -noout -in client-key.pem must say nothing",
    );
  }
}

/** A wrong password and a cipher that is not known look alike. */
function notDecrypted(): FaultError {
  return unusable(
    "tls_client_key",
    "the private key cannot be decrypted with tls_client_key_password",
    "Check tls_client_key_password. Only PKCS#8 with AES is understood; convert another key: openssl pkcs8 -topk8 -v2 aes-256-cbc " +
      "-in old.pem -out client-key.pem",
  );
}

interface Block {
  readonly title: string;
  readonly pem: string;
}

/** The parts of a PEM text, whatever stands between them. */
function blocksOf(text: string): Block[] {
  // Where a text must stand in one line, as in a file of environment variables, its line ends are often written so.
  const lines = text.includes("\n") ? text : text.replaceAll("\\n", "\n");
  return [...lines.replaceAll("\r\n", "\n").matchAll(PEM_REGEXP)].map(([pem, title]) => ({
    title: title!,
    pem,
  }));
}

/** What a text holds in place of what is wanted; nothing of the text itself, which may be secret. */
function foundInstead(text: string): string {
  const titles = blocksOf(text).map(({ title }) => title.toLowerCase());
  return titles.length === 0 ? "" : ` but ${[...new Set(titles)].join(", ")}`;
}

function unusable(field: string, problem: string, advice: string): FaultError {
  return new FaultError(misconfigured("TLS_CONFIGURATION", `Cannot use ${field}: ${problem}`, advice));
}

/**
 * A subject as Java writes it by RFC 2253, and so Kafka: the last part first, and more escaped than must be.
 *
 * @param lines one part a line, as `X509Certificate` gives it
 */
function nameOf(lines: string): string {
  return lines.split("\n").toReversed().map((part) => {
    const equals = part.indexOf("=");
    return `${part.slice(0, equals)}=${escape(part.slice(equals + 1))}`;
  }).join(",");
}

function escape(value: string): string {
  return value.replace(/[,=+<>#;"\\]|^ +| +$/g, (found) => found.replaceAll(/./g, "\\$&"));
}
