import assert from "node:assert/strict";
import { type Logger, SILENT } from "../../../src/base/telemetry.ts";
import { HOST_LIMITS } from "../../../src/host/limits.ts";
import { LogGate } from "../../../src/host/log_gate.ts";

function recording() {
  const lines: string[] = [];
  const log: Logger = {
    ...SILENT,
    info: (_text, fields) => lines.push(`info ${fields?.["text"]}`),
    warn: (_text, fields) => lines.push(`warn ${fields?.["dropped"]}`),
  };
  return { lines, gate: new LogGate(log) };
}

Deno.test("LogGate hands lines on up to a bound, and tells once how many it dropped", () => {
  const { lines, gate } = recording();
  for (let i = 0; i < HOST_LIMITS.logsPerBeat + 5; i++) {
    assert.ok(gate.pass({ level: "info", text: String(i) }));
  }
  assert.equal(lines.length, HOST_LIMITS.logsPerBeat);
  gate.beat();
  assert.equal(lines.at(-1), "warn 5");
  gate.beat();
  assert.ok(gate.pass({ level: "info", text: "again" }));
  assert.equal(lines.at(-1), "info again");
  assert.equal(lines.length, HOST_LIMITS.logsPerBeat + 2);
});

Deno.test("LogGate says when a plugin floods the relay", () => {
  const { gate } = recording();
  for (let i = 0; i < HOST_LIMITS.logFlood; i++) assert.ok(gate.pass({ level: "debug", text: "" }));
  assert.ok(!gate.pass({ level: "debug", text: "" }));
});
