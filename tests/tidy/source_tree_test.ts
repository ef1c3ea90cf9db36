import assert from "node:assert/strict";
import { assertTidy, sourceTree, trackedPaths, walkedPaths } from "./source_tree.ts";

Deno.test("sourceTree() holds this very file", async () => {
  const own = (await sourceTree()).find(({ path }) => path === "tests/tidy/source_tree_test.ts");
  assert.match(own?.text ?? "", /holds this very file/);
});

Deno.test("walkedPaths() misses nothing that git tracks", async () => {
  const tracked = await trackedPaths() ?? [];
  const walked = new Set(await walkedPaths());
  const present = new Set((await sourceTree()).map(({ path }) => path));
  assertTidy(
    tracked.filter((path) => present.has(path) && !walked.has(path)).map((path) => `${path}: is missed`),
  );
});

Deno.test("assertTidy() fails on a problem", () => {
  assert.throws(() => assertTidy(["a.ts: wrong"]), /a\.ts: wrong/);
  assertTidy([]);
});
