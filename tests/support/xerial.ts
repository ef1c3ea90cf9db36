/**
 * Snappy as Kafka's Java client writes it, read: a header, then blocks after their lengths.
 *
 * @module
 */

import { snappyDecompress } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";

/** A magic word, the version, and the oldest version that can read it. */
const HEADER = "82534e41505059000000000100000001";

/** The uncompressed blocks. @throws Error when the framing is another */
export function xerialBlocks(bytes: Uint8Array): readonly Buffer[] {
  const buffer = Buffer.from(bytes);
  if (buffer.subarray(0, 16).toString("hex") !== HEADER) {
    throw new Error("Cannot read snappy: it does not begin with xerial's header");
  }
  const blocks: Buffer[] = [];
  for (let at = 16; at < buffer.length;) {
    const end = at + 4 + buffer.readUInt32BE(at);
    blocks.push(snappyDecompress(buffer.subarray(at + 4, end)));
    at = end;
  }
  return blocks;
}
