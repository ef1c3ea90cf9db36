/**
 * The first thing that a client of TLS says (RFC 8446, 4.1.2), as far as tests look at it.
 *
 * @module
 */

/** What a client asks for and offers. */
export interface ClientHello {
  /** The name that it asks for, if it does. */
  readonly serverName: string | undefined;
  /** The versions that it offers: 0x0303 is TLS 1.2. */
  readonly versions: readonly number[];
}

const SERVER_NAME = 0;
const SUPPORTED_VERSIONS = 43;

/** Read the record that a client begins with. */
export function readClientHello(record: Uint8Array): ClientHello {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  // A record's header, a message's header, the version of old and a random number.
  let at = 5 + 4 + 2 + 32;
  at += 1 + view.getUint8(at);
  at += 2 + view.getUint16(at);
  at += 1 + view.getUint8(at);
  const end = at + 2 + view.getUint16(at);
  at += 2;
  let serverName: string | undefined;
  let versions = [0x0303];
  while (at < end) {
    const type = view.getUint16(at);
    const length = view.getUint16(at + 2);
    at += 4;
    // A list with one entry: its length, its kind and the name's length come before the name.
    if (type === SERVER_NAME) serverName = new TextDecoder().decode(record.subarray(at + 5, at + length));
    if (type === SUPPORTED_VERSIONS) {
      versions = Array.from({ length: view.getUint8(at) / 2 }, (_, i) => view.getUint16(at + 1 + 2 * i));
    }
    at += length;
  }
  return { serverName, versions };
}

/** The answer of a server that chooses a version, and a cipher suite of TLS 1.0. @param version 0x0302 is TLS 1.1 */
export function serverHello(version: number): Uint8Array {
  const numbers = [version >> 8, version & 0xff];
  const body = [...numbers, ...crypto.getRandomValues(new Uint8Array(32)), 0, 0xc0, 0x13, 0];
  const message = [2, 0, 0, body.length, ...body];
  return Uint8Array.of(0x16, ...numbers, 0, message.length, ...message);
}

/** The alert of a server that ends it all. @param description 70 is protocol_version */
export function fatalAlert(description: number): Uint8Array {
  return Uint8Array.of(0x15, 3, 1, 0, 2, 2, description);
}
