import assert from "node:assert/strict";
import { latenciesOf } from "../../bench/latency.ts";
import { peakOf, ticksOf } from "../../bench/process_usage.ts";
import { propertyLines, recordsPerBatch } from "../../bench/producer_perf.ts";

Deno.test("latenciesOf() rises, leaves the warm-up out and counts to the end of the broker's millisecond", () => {
  const committed = Float64Array.of(1_000.5, 1_001.25, 1_002);
  const appended = Float64Array.of(9_999, 1_010, 1_004);
  assert.deepEqual([...latenciesOf(committed, appended, 1)], [3, 9.75]);
});

Deno.test("ticksOf() adds user and system time, whatever the process is called", () => {
  const stat = "42 (a ) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 250 17 0 0 20 0 9 0 1 2 3";
  assert.equal(ticksOf(stat), 267);
});

Deno.test("peakOf() reads VmHWM in bytes, and says when there is none", () => {
  assert.equal(peakOf("Name:\tdeno\nVmPeak:\t  9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n"), 2_097_152);
  assert.throws(() => peakOf("Name:\tdeno\nState:\tZ (zombie)\n"), /no VmHWM/);
});

Deno.test("recordsPerBatch() comes from the producer's own metrics", () => {
  const printed = [
    "200000 records sent, 41692.7 records/sec",
    "producer-metrics:batch-size-avg:{client-id=perf-producer-client}       : 5640.000",
    "producer-metrics:compression-rate-avg:{client-id=perf-producer-client} : 0.200",
  ].join("\n");
  assert.equal(Math.round(recordsPerBatch(printed, 270)), 100);
  assert.throws(() => recordsPerBatch("nothing", 270), /batch-size-avg/);
});

Deno.test("propertyLines() keeps a value of several lines, such as a certificate, in one", () => {
  assert.equal(propertyLines({ "a.b": "c=d", "e": "f\ng\n" }), "a.b=c=d\ne=f\\ng\\n\n");
});
