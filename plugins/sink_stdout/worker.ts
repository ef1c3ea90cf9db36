/**
 * The stdout sink: the smallest sink, and an example of one.
 *
 * Standard output needs no permission, also in a Worker. It is written to asynchronously: a reader that has stopped, such as a
 * pager, then holds up deliveries, not the Worker's sign of life.
 *
 * @module
 */

import { type Answer, defineSink, delivered, faulted, type RecordPage, unavailable } from "@pg-tide/sdk";
import { lineOf } from "./line.ts";
import { MANIFEST } from "./manifest.ts";

const ENCODER = new TextEncoder();

/** Writes pages one after the other, in the order they came. */
class StdoutSink {
  #last: Promise<unknown> = Promise.resolve();

  deliver(page: RecordPage): Promise<Answer> {
    const answer = this.#last.then(() => print(page));
    this.#last = answer;
    return answer;
  }

  async close(): Promise<void> {
    await this.#last;
  }
}

async function print(page: RecordPage): Promise<Answer> {
  const lines = Array.from({ length: page.count }, (_, i) => `${lineOf(page, i)}\n`);
  let rest = ENCODER.encode(lines.join(""));
  try {
    while (rest.length > 0) rest = rest.subarray(await Deno.stdout.write(rest));
    return delivered(page.count);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return faulted(unavailable("STDOUT", `Cannot write to standard output: ${reason}`));
  }
}

defineSink({ ...MANIFEST, open: () => Promise.resolve(new StdoutSink()) });
