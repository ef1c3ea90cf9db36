import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { UserError } from "../../../src/base/errors.ts";
import { describePlace, parsePluginReference, readPluginSource } from "../../../src/host/plugin_source.ts";
import { parsePluginPolicy } from "../../../src/host/policy.ts";

const SOURCE = "export {};\n";
const DIGEST = createHash("sha256").update(SOURCE).digest();
const HEX = DIGEST.toString("hex");

Deno.test("parsePluginReference() understands files and URLs", () => {
  const file = parsePluginReference("mine=file:./a/../my_sink.js");
  assert.deepEqual(file, {
    name: "mine",
    place: { kind: "file", path: join(Deno.cwd(), "my_sink.js") },
    sha256: null,
  });
  assert.equal(describePlace(parsePluginReference("mine=file:///opt/x%20y.js")), "/opt/x y.js");
  assert.equal(describePlace(parsePluginReference("mine=file:/opt/x#1.js")), "/opt/x#1.js");
  const url = `https://u:p@h/x.js`;
  const hashes = [`#sha256=${HEX}`, `#sha256-${HEX}`, `#sha256-${DIGEST.toString("base64")}`];
  for (const hash of hashes) {
    const reference = parsePluginReference(`mine=${url}${hash}`);
    assert.deepEqual(reference, { name: "mine", place: { kind: "https", url }, sha256: HEX });
    assert.equal(describePlace(reference), "https://***@h/x.js");
  }
  assert.equal(parsePluginReference(`mine=file:x.js#sha256=${HEX}`).sha256, HEX);
});

Deno.test("parsePluginReference() says what is expected", () => {
  const bad = [
    "mine",
    "Mine=file:x",
    "=file:x",
    "mine=x.js",
    "mine=http://h/x.js",
    "mine=https://",
    "mine=npm:x",
  ];
  for (const entry of [...bad, `mine=http://h/x.js#sha256=${HEX}`]) {
    assert.throws(
      () => parsePluginReference(entry),
      { name: "UserError", message: /expected NAME=file:/ },
      entry,
    );
  }
  assert.throws(() => parsePluginReference("mine=https://u:secret@h/x.js"), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /from the network needs its hash, expected #sha256=…/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

Deno.test("readPluginSource() checks the hash, the size and the kind of file", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "x.js");
  const read = (entry: string) => readPluginSource(parsePluginReference(entry));
  try {
    await Deno.writeTextFile(path, SOURCE);
    assert.equal(new TextDecoder().decode(await read(`mine=file:${path}#sha256=${HEX}`)), SOURCE);
    const wrong = "0".repeat(64);
    await assert.rejects(read(`mine=file:${path}#sha256=${wrong}`), {
      message: `Cannot read plugin "mine" from ${path}: its SHA-256 is ${HEX}, expected ${wrong}`,
    });
    await assert.rejects(read(`mine=file:${folder}`), /it is not a file/);
    await assert.rejects(read(`mine=file:${folder}/none.js`), /there is no such file/);
    await Deno.truncate(path, 9 * 1024 * 1024);
    await assert.rejects(read(`mine=file:${path}`), /more than \d+ bytes/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readPluginSource() names a server that cannot be reached", async () => {
  const reference = parsePluginReference(`mine=https://127.0.0.1:9/x.js#sha256=${HEX}`);
  await assert.rejects(
    readPluginSource(reference),
    /Cannot read plugin "mine" from https:\/\/127\.0\.0\.1:9\/x\.js/,
  );
});

Deno.test("parsePluginPolicy() collects hosts by plugin", () => {
  const { net } = parsePluginPolicy(["mine=A:1,b:2", "other=c:3", "mine=d:4"]);
  assert.deepEqual([...net], [["mine", ["a:1", "b:2", "d:4"]], ["other", ["c:3"]]]);
});

Deno.test("parsePluginPolicy() names every bad entry", () => {
  assert.throws(() => parsePluginPolicy(["mine=a", "ok=b:1", "c:1"]), (error) => {
    assert.ok(error instanceof UserError);
    assert.deepEqual(error.problems.map(({ message }) => message), [
      'Cannot use --plugin-net "mine=a": expected NAME=host:port',
      'Cannot use --plugin-net "c:1": expected NAME=host:port',
    ]);
    return true;
  });
});
