import assert from "node:assert/strict";
import { type LogFields, type Logger, SILENT } from "../../../src/base/telemetry.ts";
import type { PipelineReport } from "../../../src/run/mod.ts";
import { StateReporter } from "../../../src/run/state_reporter.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

const RUNNING: PipelineReport = { state: "running", code: null, reason: null, advice: null };
const waiting = (reason: string): PipelineReport => ({
  ...RUNNING,
  state: "waiting",
  code: "OUTAGE",
  reason,
});

function setup(write: (report: PipelineReport) => Promise<void>) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const line = (level: string) => (text: string, fields: LogFields = {}) =>
    void lines.push(`${level} ${text} ${JSON.stringify(fields)}`);
  const log: Logger = {
    ...SILENT,
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
  };
  const store = { report: (_epoch: number, report: PipelineReport) => write(report) };
  return { clock, lines, reporter: new StateReporter({ store, epoch: 4, clock, log }) };
}

Deno.test("StateReporter tells each change once", async () => {
  const written: string[] = [];
  const { clock, lines, reporter } = setup((report) => Promise.resolve(void written.push(report.state)));
  for (const report of [RUNNING, RUNNING, waiting("a"), waiting("a"), waiting("b"), RUNNING]) {
    reporter.tell(report);
    await clock.run(clock.sleep(1));
  }
  assert.deepEqual(written, ["running", "waiting", "waiting", "running"]);
  assert.deepEqual(lines, [
    "info Running {}",
    'warn Waiting {"code":"OUTAGE","reason":"a"}',
    'debug Still waiting {"code":"OUTAGE","reason":"b"}',
    "info Running {}",
  ]);
  reporter.end();
});

Deno.test("StateReporter writes one state at a time, and of those that wait only the newest", async () => {
  const written: string[] = [];
  let writing = 0;
  // The first write is the slowest: side by side, it would arrive last and stay.
  const { clock, reporter } = setup(async (report) => {
    assert.equal(++writing, 1);
    await clock.sleep(written.length === 0 ? 1_000 : 10);
    written.push(report.reason ?? report.state);
    writing--;
  });
  reporter.tell(waiting("a"));
  reporter.tell(waiting("b"));
  reporter.tell(RUNNING);
  await clock.run(clock.sleep(5_000));
  assert.deepEqual(written, ["a", "running"]);
  reporter.end();
});

Deno.test("StateReporter writes a state again until the database has it, and logs it once", async () => {
  const written: string[] = [];
  let down = true;
  const { clock, lines, reporter } = setup((report) => {
    if (down) return Promise.reject(new Error("down"));
    return Promise.resolve(void written.push(report.state));
  });
  reporter.tell(waiting("a"));
  await clock.run(clock.sleep(60_000));
  reporter.tell(RUNNING);
  await clock.run(clock.sleep(60_000));
  down = false;
  await clock.run(clock.sleep(10_000));
  assert.deepEqual(written, ["running"]);
  const aloud = lines.filter((line) => !line.startsWith("debug"));
  assert.deepEqual(aloud, ['warn Waiting {"code":"OUTAGE","reason":"a"}', "info Running {}"]);
  reporter.end();
});

Deno.test("StateReporter writes nothing after its end", async () => {
  let attempts = 0;
  const { clock, reporter } = setup(() => {
    attempts++;
    return Promise.reject(new Error("down"));
  });
  reporter.tell(RUNNING);
  await clock.run(clock.sleep(1_000));
  reporter.end();
  const before = attempts;
  assert.ok(before > 1);
  await clock.run(clock.sleep(60_000));
  assert.equal(attempts, before);
});

Deno.test("StateReporter warns while the pipeline runs, and of nothing else while it is in trouble", async () => {
  const written: (string | null)[] = [];
  const { clock, lines, reporter } = setup((report) => Promise.resolve(void written.push(report.code)));
  const settle = () => clock.run(clock.sleep(1));
  const warning = { code: "GAP", reason: "Mind the gap", advice: null };
  reporter.warn(warning);
  reporter.tell(RUNNING);
  await settle();
  reporter.tell(waiting("a"));
  await settle();
  reporter.warn(null);
  reporter.warn(warning);
  reporter.tell(RUNNING);
  await settle();
  reporter.warn(null);
  await settle();
  assert.deepEqual(written, ["GAP", "OUTAGE", "GAP", null]);
  const told = 'warn Running, with a warning {"code":"GAP","reason":"Mind the gap"}';
  assert.deepEqual(lines, [told, 'warn Waiting {"code":"OUTAGE","reason":"a"}', told, "info Running {}"]);
  reporter.end();
});
