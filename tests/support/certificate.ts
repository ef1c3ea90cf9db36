/**
 * Certificates for this machine, and authorities that sign them, made without any program.
 *
 * ```ts
 * const authority = await makeAuthority();
 * const client = await issueCertificate(authority, { subject: { CN: "relay", O: "pg-tide" } });
 * ```
 *
 * @module
 */

import { type Bytes, identifier, pem, sequence, tagged, text, time, unsigned } from "./asn1.ts";

/** A certificate and its key (PKCS#8), as PEM. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate that signs others. */
export interface TestAuthority extends TestCertificate {
  readonly name: SubjectName;
}

/** Attributes of a name. They are encoded in this order, and read in the other one. */
export type SubjectName = Readonly<Partial<Record<keyof typeof ATTRIBUTES, string>>>;

/** What a certificate says. */
export interface CertificateContent {
  readonly subject: SubjectName;
  /** Host names and IPv4 addresses that it is good for. @default `localhost` and 127.0.0.1 */
  readonly hosts?: readonly string[];
  /** From and to when it is good, in days from now. @default yesterday to tomorrow */
  readonly days?: readonly [from: number, to: number];
  /** @default "EC" */
  readonly keyType?: KeyType;
}

/** The kind of a certificate's key. */
export type KeyType = "EC" | "RSA";

const ATTRIBUTES = {
  C: identifier(0x55, 0x04, 0x06),
  O: identifier(0x55, 0x04, 0x0a),
  OU: identifier(0x55, 0x04, 0x0b),
  CN: identifier(0x55, 0x04, 0x03),
} as const;

const THIS_MACHINE = ["localhost", "127.0.0.1"] as const;
const EC = { name: "ECDSA", namedCurve: "P-256" } as const;
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: "SHA-256",
} as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
const ECDSA_WITH_SHA256 = sequence(identifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));

/** A certificate of `localhost` and 127.0.0.1 that is good from yesterday to tomorrow, signed by itself. */
export async function makeCertificate(): Promise<TestCertificate> {
  const keys = await makeKeys("EC");
  const content: CertificateContent = { subject: { CN: "localhost" } };
  return await sign(content, [alternativeNames(THIS_MACHINE)], keys, { name: content.subject, keys });
}

/** An authority that others may trust. @param commonName by which certificates name their issuer */
export async function makeAuthority(commonName = "pg-tide tests"): Promise<TestAuthority> {
  const keys = await makeKeys("EC");
  const name = { CN: commonName };
  return { name, ...await sign({ subject: name }, [MAY_SIGN], keys, { name, keys }) };
}

/** A certificate that an authority has signed. */
export async function issueCertificate(
  authority: TestAuthority,
  content: CertificateContent,
): Promise<TestCertificate> {
  const { keyType = "EC", hosts = THIS_MACHINE } = content;
  const names = hosts.length === 0 ? [] : [alternativeNames(hosts)];
  const privateKey = await crypto.subtle.importKey("pkcs8", derOf(authority.key), EC, false, ["sign"]);
  const issuer = { name: authority.name, keys: { privateKey } };
  return await sign(content, names, await makeKeys(keyType), issuer);
}

/** The same key, encrypted with a password: PKCS#8 with PBKDF2 and AES-256 (RFC 8018). @param key as PEM */
export async function encryptKey(key: string, password: string): Promise<string> {
  const [salt, iv] = [new Uint8Array(16), new Uint8Array(16)].map((bytes) => crypto.getRandomValues(bytes));
  const iterations = 2_048;
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, [
    "deriveKey",
  ]);
  const derived = await crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt: salt!, iterations },
    secret,
    { name: "AES-CBC", length: 256 },
    false,
    ["encrypt"],
  );
  const encrypted = await crypto.subtle.encrypt({ name: "AES-CBC", iv: iv! }, derived, derOf(key));
  const derivation = sequence(
    tagged(0x04, salt!),
    tagged(0x02, [iterations >> 8, iterations & 0xff]),
    sequence(HMAC_WITH_SHA256, tagged(0x05, [])),
  );
  const scheme = sequence(sequence(PBKDF2, derivation), sequence(AES_256_CBC, tagged(0x04, iv!)));
  return pem(
    "ENCRYPTED PRIVATE KEY",
    sequence(sequence(PBES2, scheme), tagged(0x04, new Uint8Array(encrypted))),
  );
}

const PBES2 = identifier(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d);
const PBKDF2 = identifier(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c);
const HMAC_WITH_SHA256 = identifier(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09);
const AES_256_CBC = identifier(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a);

interface Issuer {
  readonly name: SubjectName;
  readonly keys: Pick<CryptoKeyPair, "privateKey">;
}

/** Version 3, signed by an elliptic curve. */
async function sign(
  { subject, days: [from, to] = [-1, 1] }: CertificateContent,
  extensions: readonly Bytes[],
  keys: CryptoKeyPair,
  issuer: Issuer,
): Promise<TestCertificate> {
  const body = sequence(
    tagged(0xa0, tagged(0x02, [2])),
    tagged(0x02, [1, ...crypto.getRandomValues(new Uint8Array(8))]),
    ECDSA_WITH_SHA256,
    encodeName(issuer.name),
    sequence(time(from), time(to)),
    encodeName(subject),
    new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey)),
    ...(extensions.length === 0 ? [] : [tagged(0xa3, sequence(...extensions))]),
  );
  const signature = new Uint8Array(await crypto.subtle.sign(SIGNING, issuer.keys.privateKey, body));
  const parts = sequence(unsigned(signature.subarray(0, 32)), unsigned(signature.subarray(32)));
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificate: pem("CERTIFICATE", sequence(body, ECDSA_WITH_SHA256, tagged(0x03, [0, ...parts]))),
    key: pem("PRIVATE KEY", key),
  };
}

function makeKeys(type: KeyType): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(type === "EC" ? EC : RSA, true, ["sign", "verify"]);
}

function encodeName(name: SubjectName): Bytes {
  const parts = Object.entries(ATTRIBUTES).flatMap(([attribute, id]) => {
    const value = name[attribute as keyof typeof ATTRIBUTES];
    return value === undefined ? [] : [tagged(0x31, sequence(id, tagged(0x0c, text(value))))];
  });
  return sequence(...parts);
}

function alternativeNames(hosts: readonly string[]): Bytes {
  const names = hosts.map((host) =>
    /^[\d.]+$/.test(host) ? tagged(0x87, host.split(".").map(Number)) : tagged(0x82, text(host))
  );
  return sequence(identifier(0x55, 0x1d, 0x11), tagged(0x04, sequence(...names)));
}

/** The extension of authorities, which everybody must understand. */
const MAY_SIGN = sequence(
  identifier(0x55, 0x1d, 0x13),
  tagged(0x01, [0xff]),
  tagged(0x04, sequence(tagged(0x01, [0xff]))),
);

function derOf(pem: string): Bytes {
  return Uint8Array.fromBase64(pem.replaceAll(/-----[^-]+-----|\s/g, ""));
}
