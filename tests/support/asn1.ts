/**
 * As much of ASN.1 as certificates are made of.
 *
 * @module
 */

/** The encoded form of a value. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A value of ASN.1: its tag, its length, its content. */
export function tagged(tag: number, content: ArrayLike<number>): Bytes {
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return Uint8Array.from([tag, ...size, ...Array.from(content)]);
}

/** One value after the other. */
export function sequence(...parts: readonly Uint8Array[]): Bytes {
  return tagged(0x30, parts.flatMap((part) => [...part]));
}

/** An object identifier, by its encoded bytes. */
export function identifier(...bytes: readonly number[]): Bytes {
  return tagged(0x06, bytes);
}

/** A number without a sign: one that begins with a set bit gets a zero before it. */
export function unsigned(bytes: Uint8Array): Bytes {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = [...bytes.subarray(first)];
  return tagged(0x02, short[0]! >= 0x80 ? [0, ...short] : short);
}

/** A moment, in days from now. */
export function time(days: number): Bytes {
  const moment = new Date(Date.now() + days * 86_400_000).toISOString();
  return tagged(0x17, text(`${moment.slice(2, 19).replaceAll(/[-:T]/g, "")}Z`));
}

/** The bytes of a text. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** An encoded value as PEM. @param title such as `CERTIFICATE` */
export function pem(title: string, bytes: Bytes): string {
  const lines = bytes.toBase64().match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${title}-----\n${lines}\n-----END ${title}-----\n`;
}
