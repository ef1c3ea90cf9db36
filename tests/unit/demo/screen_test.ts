import { strict as assert } from "node:assert";
import { Screen } from "../../demo/screen.ts";

class Paper {
  readonly #terminal: boolean;
  text = "";

  constructor(terminal: boolean) {
    this.#terminal = terminal;
  }

  isTerminal(): boolean {
    return this.#terminal;
  }

  /** Takes a little at a time, as a pipe may. */
  writeSync(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, 7);
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

Deno.test("Screen changes progress in place in a terminal, and a line takes its place", () => {
  const paper = new Paper(true);
  const screen = new Screen(paper);
  screen.line("start");
  screen.progress("one");
  screen.progress("two");
  screen.line("done");
  screen.line("end");
  assert.equal(paper.text, "start\n\r\x1b[Kone\r\x1b[Ktwo\r\x1b[Kdone\nend\n");
});

Deno.test("Screen writes progress as a line, at most each second, where nothing can be changed", () => {
  const paper = new Paper(false);
  const screen = new Screen(paper);
  for (let i = 0; i < 5; i++) screen.progress(`progress ${i}`);
  assert.equal(paper.text, "progress 0\n");
});

Deno.test("Screen.during() says what is done, and what came of it", async () => {
  const paper = new Paper(false);
  const result = await new Screen(paper).during("Starting", () => Promise.resolve(7), (n) => `Started ${n}`);
  assert.equal(result, 7);
  assert.match(paper.text, /^Starting …\nStarted 7 \(\d+\.\d s\)\n$/);
});

Deno.test("Screen.during() leaves the error to its caller", async () => {
  const failing = new Screen(new Paper(true)).during(
    "Starting",
    () => Promise.reject(new Error("no")),
    String,
  );
  await assert.rejects(failing, /^Error: no$/);
});
