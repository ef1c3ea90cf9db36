import assert from "node:assert/strict";
import { misconfigured } from "@pg-tide/sdk";
import { EXIT, UserError } from "../../../src/base/errors.ts";
import { LIMITS } from "../../../src/base/limits.ts";
import { SILENT } from "../../../src/base/telemetry.ts";
import { FileWatch } from "../../../src/run/file_watch.ts";
import type { FieldValues, Readings, Reconfigured } from "../../../src/run/mod.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const readings = (password: string, rest = ""): Readings => ({ sink: { password }, rest });
const UNREADABLE = new UserError('Cannot read password: file "/p": there is no such file', {
  code: "CONFIGURATION",
  advice: "Correct it.",
  exitCode: EXIT.usage,
});

/** A watch over files that hold the password "first". */
function setup() {
  const clock = new VirtualClock();
  const world = {
    /** What the files hold: readings, or what is wrong with them. */
    files: readings("first") as Readings | UserError,
    /** What the sink says to an offer. */
    answer: { kind: "taken" } as Reconfigured,
    offers: [] as FieldValues[],
    taken: 0,
    /** Codes of the warnings, in a row of the same only the first. */
    warnings: [] as (string | null)[],
    ended: undefined as boolean | undefined,
  };
  const stop = new AbortController();
  const watch = new FileWatch({
    readings: readings("first"),
    reread: () =>
      world.files instanceof UserError ? Promise.reject(world.files) : Promise.resolve(world.files),
    offer: (fields) => {
      world.offers.push(fields);
      return Promise.resolve(world.answer);
    },
    onTaken: () => void world.taken++,
    onWarning: (warning) => {
      const code = warning?.code ?? null;
      if (world.warnings.at(-1) !== code) world.warnings.push(code);
    },
    clock,
    log: SILENT,
  });
  watch.run(stop.signal).then((due) => world.ended = due);
  const looks = (count: number) => clock.run(clock.sleep(count * LIMITS.filesPollMs + 1));
  const end = async () => {
    stop.abort();
    await looks(1);
  };
  return { world, looks, end };
}

Deno.test("FileWatch offers what the files hold once two looks have seen the same", async () => {
  const { world, looks, end } = setup();
  await looks(3);
  assert.deepEqual(world.offers, []);
  world.files = readings("sec");
  await looks(1);
  world.files = readings("second");
  await looks(1);
  assert.deepEqual(world.offers, [], "the file was being written");
  await looks(3);
  assert.deepEqual([world.offers, world.taken], [[{ password: "second" }], 1]);
  await end();
  assert.equal(world.ended, false);
});

Deno.test("FileWatch offers again what was refused, slowly, and something else at once", async () => {
  const { world, looks, end } = setup();
  world.answer = { kind: "refused", fault: misconfigured("WRONG", "it is wrong", "Correct it.") };
  world.files = readings("bad");
  await looks(5);
  assert.deepEqual([world.offers.length, world.warnings], [1, ["WRONG"]]);
  await looks(LIMITS.blockedRetryMs / LIMITS.filesPollMs);
  assert.equal(world.offers.length, 2);
  world.answer = { kind: "taken" };
  world.files = readings("good");
  await looks(2);
  assert.deepEqual(world.offers.at(-1), { password: "good" });
  assert.deepEqual([world.warnings, world.taken], [["WRONG", null], 1]);
  await end();
});

Deno.test("FileWatch forgets a change that is taken back", async () => {
  const { world, looks, end } = setup();
  world.answer = { kind: "refused", fault: misconfigured("WRONG", "it is wrong", "Correct it.") };
  world.files = readings("bad");
  await looks(3);
  world.files = readings("first");
  await looks(1);
  assert.deepEqual([world.offers.length, world.warnings], [1, ["WRONG", null]]);
  await end();
});

Deno.test("FileWatch tells of a file that cannot be read, and offers nothing", async () => {
  const { world, looks, end } = setup();
  world.files = UNREADABLE;
  await looks(3);
  assert.deepEqual([world.offers, world.warnings], [[], ["CONFIGURATION"]]);
  world.files = readings("second");
  await looks(2);
  assert.deepEqual([world.taken, world.warnings], [1, ["CONFIGURATION", null]]);
  await end();
});

Deno.test("FileWatch wants a new session for what the sink cannot take while it runs", async () => {
  const sinks = setup();
  sinks.world.answer = { kind: "restart" };
  sinks.world.files = readings("second");
  await sinks.looks(3);
  assert.equal(sinks.world.ended, true);
  const others = setup();
  others.world.files = readings("first", "another topic");
  await others.looks(3);
  assert.deepEqual([others.world.ended, others.world.offers], [true, []]);
});
