/**
 * Tombstones: records without a value, by which a compacted topic forgets a key.
 *
 * @module
 */

import { NULL_RANGE, type RecordPage } from "@pg-tide/sdk";

/** The JSON text `null`, as one number. */
const NULL_TEXT = 0x6e75_6c6c;

/** The page with every value that is the JSON text `null` taken away; the page itself when there is none. */
export function withTombstones(page: RecordPage): RecordPage {
  const { bytes, ranges } = page.value;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let made: Uint32Array<ArrayBuffer> | undefined;
  for (let at = 0; at < ranges.length; at += 2) {
    const start = ranges[at]!;
    if (ranges[at + 1]! - start !== 4 || start === NULL_RANGE || view.getUint32(start) !== NULL_TEXT) {
      continue;
    }
    made ??= ranges.slice();
    made[at] = NULL_RANGE;
    made[at + 1] = NULL_RANGE;
  }
  return made === undefined ? page : { ...page, value: { bytes, ranges: made } };
}
