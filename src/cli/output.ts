/**
 * Where commands write.
 *
 * @module
 */

/** A terminal, or a test in its place. */
export interface Output {
  /** Write a line of the command's result. */
  out(line: string): void;
  /** Write a line for a person: errors, progress, log. */
  err(line: string): void;
}

const ENCODER = new TextEncoder();

/** Standard output and standard error. */
export const TERMINAL: Output = {
  out: (line) => writeAll(Deno.stdout, `${line}\n`),
  err: (line) => writeAll(Deno.stderr, `${line}\n`),
};

/** Written at once, so that nothing is lost when the process ends right after. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = ENCODER.encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
  } catch (error) {
    // A reader that has gone away, such as `head`, wants no more.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
