import { strict as assert } from "node:assert";
import { countsOf } from "./junit.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="7" failures="2" errors="1" time="0.020">
    <testsuite name="./a_test.ts" tests="4" disabled="1" errors="1" failures="1">
        <testcase name="&lt;testsuite disabled=&quot;9&quot;&gt;" classname="./a_test.ts" time="0.000" line="1" col="11">
        </testcase>
    </testsuite>
    <testsuite name="./b_test.ts" tests="3" disabled="0" errors="0" failures="1">
    </testsuite>
</testsuites>`;

Deno.test("countsOf() adds up a report and counts a skipped test as failed", () => {
  assert.deepEqual(countsOf(REPORT), { passed: 3, failed: 4 });
});

Deno.test("countsOf() refuses what is no report", () => {
  assert.throws(() => countsOf("ok | 3 passed"), /the report has no <testsuites>/);
  assert.throws(() => countsOf('<testsuites tests="1">'), /has no "failures"/);
});
