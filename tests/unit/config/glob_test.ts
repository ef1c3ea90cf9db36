import assert from "node:assert/strict";
import { folderOf, matchesGlob } from "../../../src/config/glob.ts";

Deno.test("matchesGlob() stops a star at a slash, two stars nowhere, and takes all else as it stands", () => {
  const table: readonly [pattern: string, matches: readonly string[], others: readonly string[]][] = [
    ["KAFKA_*", ["KAFKA_", "KAFKA_PASSWORD"], ["MY_KAFKA_X", "KAFKA", "kafka_x"]],
    ["/etc/certs/*", ["/etc/certs/ca.pem"], [
      "/etc/certs/a/ca.pem",
      "/etc/certs",
      "/etc/certsx/a",
      "x/etc/certs/a",
    ]],
    ["/run/**", ["/run/a", "/run/a/b"], ["/runs/a"]],
    ["/a/*/c.pem", ["/a/b/c.pem"], ["/a/c.pem", "/a/b/b/c.pem", "/a/b/c-pem"]],
    ["/a.b+(c)[d]", ["/a.b+(c)[d]"], ["/axb+(c)[d]", "/a.bb(c)d"]],
    ["", [""], ["a"]],
  ];
  for (const [pattern, matches, others] of table) {
    assert.deepEqual(matches.filter((text) => !matchesGlob(pattern, text)), [], pattern);
    assert.deepEqual(others.filter((text) => matchesGlob(pattern, text)), [], pattern);
  }
});

Deno.test("matchesGlob() lets a star stand for a line break: a name cannot hide behind one", () => {
  assert.equal(matchesGlob("A*", "A\nB"), true);
  assert.equal(matchesGlob("A", "A\nB"), false);
});

Deno.test("folderOf() is what stands before the first star", () => {
  const patterns = ["/etc/certs/*", "/etc/ce*/x", "/etc/ca.pem", "/run/**"];
  assert.deepEqual(patterns.map(folderOf), ["/etc/certs", "/etc", "/etc/ca.pem", "/run"]);
});
