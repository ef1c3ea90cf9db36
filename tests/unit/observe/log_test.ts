import assert from "node:assert/strict";
import { closeLog, type LogOptions, openLog } from "../../../src/observe/log.ts";
import { redactor } from "../../../src/config/redact.ts";
import type { Logger } from "../../../src/base/telemetry.ts";

/** The lines that a log writes. */
async function linesOf(
  speak: (log: Logger) => void,
  options: Partial<LogOptions> = {},
): Promise<readonly string[]> {
  const lines: string[] = [];
  const log = await openLog({
    level: "info",
    format: "text",
    redact: (line) => line,
    write: (line) => lines.push(line),
    ...options,
  });
  speak(log);
  await closeLog();
  return lines;
}

Deno.test("openLog() writes a line with time, level, text and fields", async () => {
  const [line] = await linesOf((log) =>
    log.warn("Waiting", { code: "KAFKA_UNREACHABLE", attempt: 3, empty: "" })
  );
  assert.match(
    line!,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARN {2}Waiting code=KAFKA_UNREACHABLE attempt=3 empty=""$/,
  );
});

Deno.test("openLog() keeps a line a line, and a text a text", async () => {
  const fields = { reason: 'two\nlines = "x"', hosts: ["a:1", "b:2"], none: null };
  const [text] = await linesOf((log) => log.error("{braces} stay", fields));
  assert.match(
    text!,
    /ERROR \{braces\} stay reason="two\\nlines = \\"x\\"" hosts=\["a:1","b:2"\] none=null$/,
  );
  const [json] = await linesOf((log) => log.error("{braces} stay", fields), { format: "json" });
  const { time, ...rest } = JSON.parse(json!);
  assert.ok(!Number.isNaN(Date.parse(time)));
  assert.deepEqual(rest, { level: "error", message: "{braces} stay", ...fields });
});

Deno.test("openLog() leaves out what is less severe than its level", async () => {
  const speak = (log: Logger) => {
    log.debug("debug");
    log.info("info");
    log.warn("warn");
    log.error("error");
  };
  const levels = ["debug", "info", "warn", "error"] as const;
  const counts = await Array.fromAsync(levels, async (level) => (await linesOf(speak, { level })).length);
  assert.deepEqual(counts, [4, 3, 2, 1]);
});

Deno.test("Logger.with() puts its fields on every line, also of a logger made of it", async () => {
  const lines = await linesOf((log) => {
    const pipeline = log.with({ pipeline: "orders" });
    pipeline.info("Running");
    pipeline.with({ epoch: 4 }).info("Lease taken", { pipeline: "other" });
    log.info("Elsewhere");
  });
  assert.deepEqual(lines.map((line) => line.slice(31)), [
    "Running pipeline=orders",
    "Lease taken pipeline=other epoch=4",
    "Elsewhere",
  ]);
});

Deno.test("openLog() takes secrets out of texts and fields, in both formats", async () => {
  const redact = redactor(['s3"cret']);
  for (const format of ["text", "json"] as const) {
    const [line] = await linesOf(
      (log) => log.error('Refused: s3"cret', { reason: 'is s3"cret', url: "postgres://u:other@h/d" }),
      { format, redact },
    );
    assert.doesNotMatch(line!, /s3|other/);
    assert.match(line!, /\*\*\*/);
  }
});
