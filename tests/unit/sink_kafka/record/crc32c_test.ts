import assert from "node:assert/strict";
import { crc32c as independent } from "@platformatic/wasm-utils";
import { Buffer } from "node:buffer";
import { crc32c } from "../../../../plugins/sink_kafka/record/crc32c.ts";

Deno.test("crc32c() gives the checksums of RFC 3720, B.4", () => {
  const rising = Uint8Array.from({ length: 32 }, (_, i) => i);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a91_36aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8_ab43);
  assert.equal(crc32c(rising), 0x46dd_794e);
  assert.equal(crc32c(rising.toReversed()), 0x113f_db5c);
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe306_9283);
});

Deno.test("crc32c() of a part is that of the part, at every length and place", () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 60 }, (_, i) => i * 37));
  for (let start = 0; start < 9; start++) {
    for (let end = start; end < bytes.length; end++) {
      const part = Buffer.from(bytes.subarray(start, end));
      assert.equal(crc32c(bytes, start, end), independent(part), `${start} to ${end}`);
    }
  }
});
