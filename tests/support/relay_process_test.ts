import { strict as assert } from "node:assert";
import { FROM_SOURCE, type Program, RelayProcess, runProgram } from "./relay_process.ts";
import { waitUntil } from "./wait.ts";

/** A program that says it runs, and ends with 0 after SIGTERM. */
const PATIENT: Program = [
  Deno.execPath(),
  "eval",
  `Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
   console.error("pg-tide runs", Deno.args.join(" "), Deno.env.get("PG_TIDE_LOG_LEVEL"), Deno.env.get("GIVEN"));
   setInterval(() => {}, 1000);`,
];

function isAlive(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("RelayProcess starts, says what it logged, and stops cleanly", async () => {
  await using relay = await RelayProcess.start(PATIENT, ["--flag"], { env: { GIVEN: "yes" } });
  await relay.ready();
  assert.match(await relay.log(), /pg-tide runs --flag .*yes/);
  assert.equal(await relay.exitCode(), undefined);
  assert.equal(await relay.stop(), 0);
  assert.equal(isAlive(relay.pid), false);
});

Deno.test("RelayProcess.kill() ends it without a drain, and keeps its log", async () => {
  await using relay = await RelayProcess.start(PATIENT, []);
  await relay.ready();
  await relay.kill();
  assert.equal(await relay.exitCode(), 128 + 9);
  assert.equal(isAlive(relay.pid), false);
  assert.match(await relay.log(), /pg-tide runs/);
});

Deno.test("RelayProcess.ready() shows the end of the log of a program that ends instead", async () => {
  const failing: Program = [Deno.execPath(), "eval", `console.error("Error: so it is"); Deno.exit(3)`];
  await using relay = await RelayProcess.start(failing, []);
  await assert.rejects(relay.ready(), /Cannot start the relay: it ended with exit code 3\nError: so it is/);
  assert.equal(await relay.ended(), 3);
});

Deno.test("RelayProcess ends with the process that started it, even by SIGKILL", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const source = `
      import { RelayProcess } from ${JSON.stringify(import.meta.resolve("./relay_process.ts"))};
      const relay = await RelayProcess.start(${JSON.stringify(PATIENT)}, []);
      console.log(relay.pid);
      Deno.kill(Deno.pid, "SIGKILL");`;
    const owner = await runProgram([Deno.execPath(), "eval"], [source], { env: { TMPDIR: folder } });
    assert.equal(owner.signal, "SIGKILL", owner.stderr);
    const pid = Number(new TextDecoder().decode(owner.stdout));
    assert.ok(pid > 1);
    await waitUntil(() => !isAlive(pid), { what: "the end of the relay" });
    const isEmpty = async () => (await Array.fromAsync(Deno.readDir(folder))).length === 0;
    await waitUntil(isEmpty, { what: "the relay's folder to be removed" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("runProgram() runs the program from source, and keeps this process's settings from it", async () => {
  Deno.env.set("PG_TIDE_LOG_LEVEL", "nonsense");
  try {
    const { code, stdout, stderr } = await runProgram(FROM_SOURCE, ["--version"]);
    assert.equal(code, 0, stderr);
    assert.match(new TextDecoder().decode(stdout), /^\d+\.\d+\.\d+\n$/);
    const shown = await runProgram([Deno.execPath(), "eval"], [
      `console.log(JSON.stringify(Deno.env.get("PG_TIDE_LOG_LEVEL")))`,
    ]);
    assert.equal(new TextDecoder().decode(shown.stdout).trim(), '""');
  } finally {
    Deno.env.delete("PG_TIDE_LOG_LEVEL");
  }
});
