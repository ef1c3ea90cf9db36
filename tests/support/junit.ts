/**
 * Counts of a test run, from the report that `deno test --junit-path` writes.
 *
 * @module
 */

/** How many tests did what. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * The counts of a report. A test that was skipped counts as failed: it proves nothing, and nobody would notice.
 *
 * @throws Error when the text is no such report
 */
export function countsOf(report: string): Counts {
  const whole = /<testsuites [^>]*>/.exec(report)?.[0];
  if (whole === undefined) throw new Error("Cannot count tests: the report has no <testsuites>");
  const skipped = [...report.matchAll(/<testsuite [^>]*>/g)]
    .reduce((sum, [suite]) => sum + attribute(suite, "disabled"), 0);
  const failed = attribute(whole, "failures") + attribute(whole, "errors") + skipped;
  return { passed: attribute(whole, "tests") - failed, failed };
}

function attribute(element: string, name: string): number {
  const digits = new RegExp(` ${name}="(\\d+)"`).exec(element)?.[1];
  if (digits === undefined) throw new Error(`Cannot count tests: ${element} has no "${name}"`);
  return Number(digits);
}
