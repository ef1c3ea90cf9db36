import assert from "node:assert/strict";
import { EXIT, UserError } from "../../../src/base/errors.ts";
import { FlagReader } from "../../../src/cli/dlq_flags.ts";

/** What a reader finds wrong. */
function problemsOf(reader: FlagReader): readonly string[] {
  try {
    reader.finish();
    return [];
  } catch (error) {
    assert.ok(error instanceof UserError);
    assert.deepEqual([error.code, error.exitCode], ["FLAGS", EXIT.usage]);
    return error.problems.map(({ message }) => message);
  }
}

Deno.test("FlagReader reads whole numbers, and nothing that only looks like one", () => {
  const reader = new FlagReader();
  assert.deepEqual(["1", "9007199254740991"].map((text) => reader.id("--id", text)), [1, 9007199254740991]);
  assert.deepEqual([reader.id("--id", undefined), reader.limit(undefined, 50), reader.limit("7", 50)], [
    null,
    50,
    7,
  ]);
  assert.deepEqual(problemsOf(reader), []);
  for (const text of ["", "0", "-1", "1.5", "1e3", "x", " 1", "9007199254740992", "0x10"]) {
    const bad = new FlagReader();
    assert.equal(bad.id("--id", text), null);
    assert.deepEqual(problemsOf(bad), [
      `Cannot use --id: ${JSON.stringify(text)}, expected a whole number from 1 to 9007199254740991`,
    ]);
  }
});

Deno.test("FlagReader bounds a limit and a rate", () => {
  const reader = new FlagReader();
  reader.limit("10001", 50);
  reader.rate("1000001");
  assert.deepEqual(problemsOf(reader), [
    'Cannot use --limit: "10001", expected a whole number from 1 to 10000',
    'Cannot use --rate: "1000001", expected a whole number from 1 to 1000000',
  ]);
});

Deno.test("FlagReader takes a time with its zone, and no other", () => {
  const reader = new FlagReader();
  for (const time of ["2026-01-31T12:00:00Z", "2026-01-31T12:00+02:00", "2026-01-31T12:00:00.123456-0730"]) {
    assert.equal(reader.time("--before", time), time);
  }
  assert.equal(reader.time("--before", undefined), null);
  assert.deepEqual(problemsOf(reader), []);
  for (const time of ["2026-01-31", "2026-01-31T12:00:00", "yesterday", "2026-13-01T00:00:00Z", ""]) {
    const bad = new FlagReader();
    assert.equal(bad.time("--before", time), null, time);
    assert.match(
      problemsOf(bad).join(),
      /^Cannot use --before: ".*", expected a time such as 2026-01-31T12:00:00Z$/,
    );
  }
});

Deno.test("FlagReader reads JSON as the text that it is, and says what is wrong with a file", async () => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const reader = new FlagReader();
    await Deno.writeTextFile(file, '{"n": 12345678901234567890}');
    assert.equal(await reader.json("--payload", file), '{"n": 12345678901234567890}');
    assert.equal(await reader.json("--payload", undefined), null);
    await Deno.writeTextFile(file, "{");
    await reader.json("--payload", file);
    await reader.json("--payload", `${file}.gone`);
    const [syntax, gone] = problemsOf(reader);
    assert.match(
      syntax!,
      /^Cannot use --payload: ".*", expected a file that holds JSON, or - for standard input \(/,
    );
    assert.match(gone!, /No such file/);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("FlagReader tells everything that is wrong at once", () => {
  const reader = new FlagReader();
  reader.id("--id", "x");
  reader.need(false, "retry", "--pipeline or --id");
  reader.need(true, "retry", "nothing");
  assert.deepEqual(problemsOf(reader), [
    'Cannot use --id: "x", expected a whole number from 1 to 9007199254740991',
    "Cannot retry dead letters: nothing says which, expected --pipeline or --id",
  ]);
});
