import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { withoutProgram } from "./denort.ts";

function compiled(
  runtime: string,
  program: string,
  appended: number,
  magic = "d3n0l4nd",
): Uint8Array<ArrayBuffer> {
  const trailer = Buffer.alloc(24);
  trailer.write(magic, "latin1");
  trailer.writeBigUInt64LE(BigInt(appended), 16);
  return Uint8Array.from(Buffer.concat([Buffer.from(runtime + program), trailer]));
}

Deno.test("withoutProgram() leaves the runtime alone", () => {
  const runtime = withoutProgram(compiled("runtime", "program", 7 + 24));
  assert.equal(new TextDecoder().decode(runtime), "runtime");
});

Deno.test("withoutProgram() refuses what deno compile did not make", () => {
  assert.throws(
    () => withoutProgram(compiled("runtime", "program", 31, "elsewise")),
    /deno compile did not make it/,
  );
  assert.throws(() => withoutProgram(new Uint8Array(23)), /deno compile did not make it/);
  assert.throws(() => withoutProgram(compiled("runtime", "program", 39)), /says that 39 bytes were appended/);
  assert.throws(() => withoutProgram(compiled("runtime", "program", 23)), /says that 23 bytes were appended/);
});
