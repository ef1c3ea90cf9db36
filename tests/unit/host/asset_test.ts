import assert from "node:assert/strict";
import { resolveAsset } from "../../../src/host/asset.ts";

Deno.test("resolveAsset() finds a file that its package does not export", async () => {
  const path = resolveAsset("@platformatic/wasm-utils/dist/native.wasm");
  assert.deepEqual([...(await Deno.readFile(path)).subarray(0, 4)], [0x00, 0x61, 0x73, 0x6d]);
});

Deno.test("resolveAsset() names what it cannot find", () => {
  assert.throws(
    () => resolveAsset("@platformatic/wasm-utils/none.wasm"),
    /package @platformatic\/wasm-utils has no such file/,
  );
  assert.throws(() => resolveAsset("nothing"), /expected package\/path/);
});
