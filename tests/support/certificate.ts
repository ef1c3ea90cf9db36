/**
 * A certificate for this machine, signed by itself, made without any program.
 *
 * @module
 */

/** A certificate and its key, as PEM. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const ECDSA_WITH_SHA256 = sequence(identifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));

/** A certificate of `localhost` and 127.0.0.1 that is good from yesterday to tomorrow. */
export async function makeCertificate(): Promise<TestCertificate> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const publicInfo = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const name = sequence(
    tagged(0x31, sequence(identifier(0x55, 0x04, 0x03), tagged(0x0c, text("localhost")))),
  );
  const names = sequence(tagged(0x82, text("localhost")), tagged(0x87, [127, 0, 0, 1]));
  const extension = sequence(identifier(0x55, 0x1d, 0x11), tagged(0x04, names));
  const body = sequence(
    tagged(0xa0, tagged(0x02, [2])),
    tagged(0x02, [1, ...crypto.getRandomValues(new Uint8Array(8))]),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(-1), time(1)),
    name,
    publicInfo,
    tagged(0xa3, sequence(extension)),
  );
  const hash = { name: "ECDSA", hash: "SHA-256" };
  const signature = new Uint8Array(await crypto.subtle.sign(hash, privateKey, body));
  const parts = sequence(unsigned(signature.subarray(0, 32)), unsigned(signature.subarray(32)));
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey));
  return {
    certificate: pem("CERTIFICATE", sequence(body, ECDSA_WITH_SHA256, tagged(0x03, [0, ...parts]))),
    key: pem("PRIVATE KEY", key),
  };
}

type Bytes = Uint8Array<ArrayBuffer>;

/** A value of ASN.1: its tag, its length, its content. */
function tagged(tag: number, content: ArrayLike<number>): Bytes {
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return Uint8Array.from([tag, ...size, ...Array.from(content)]);
}

function sequence(...parts: readonly Uint8Array[]): Bytes {
  return tagged(0x30, parts.flatMap((part) => [...part]));
}

function identifier(...bytes: readonly number[]): Bytes {
  return tagged(0x06, bytes);
}

/** A number without a sign: one that begins with a set bit gets a zero before it. */
function unsigned(bytes: Uint8Array): Bytes {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = [...bytes.subarray(first)];
  return tagged(0x02, short[0]! >= 0x80 ? [0, ...short] : short);
}

function time(days: number): Bytes {
  const moment = new Date(Date.now() + days * 86_400_000).toISOString();
  return tagged(0x17, text(`${moment.slice(2, 19).replaceAll(/[-:T]/g, "")}Z`));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function pem(title: string, bytes: Bytes): string {
  const lines = bytes.toBase64().match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${title}-----\n${lines}\n-----END ${title}-----\n`;
}
