import { strict as assert } from "node:assert";
import type { RoundResult } from "../../soak/rounds.ts";
import { soak } from "../../soak/soak.ts";

const RESULT: RoundResult = {
  kind: "idempotent",
  records: 100,
  retries: 3,
  repeated: 2,
  exact: false,
  ended: 1,
  faults: new Map([["hang", 1], ["late", 2]]),
};
const LONG = { minutes: 10, seed: 7 };
const never = new AbortController().signal;

/** Ports that keep the seeds that were run, and the lines of progress. */
function keeping(run: (seed: number) => Promise<RoundResult>, signal = never) {
  const seeds: number[] = [];
  const lines: string[] = [];
  const ports = {
    run: (seed: number) => {
      seeds.push(seed);
      return run(seed);
    },
    signal,
    progress: (line: string) => void lines.push(line),
  };
  return { seeds, lines, ports };
}

Deno.test("soak() counts seeds up and adds up what came of them", async () => {
  const { lines, ports, seeds } = keeping((seed) => Promise.resolve({ ...RESULT, exact: seed === 8 }));
  const tally = await soak({ ...LONG, rounds: 3 }, ports);
  assert.deepEqual(seeds, [7, 8, 9]);
  assert.deepEqual(tally, {
    rounds: new Map([["idempotent", 3]]),
    faults: new Map([["hang", 3], ["late", 6]]),
    records: 300,
    retries: 9,
    ended: 3,
    repeated: 6,
    exact: 1,
  });
  assert.equal(lines[0], "seed 7: whole relay");
  assert.match(lines[1]!, /^seed 7: good after \d+\.\d s, 3 faults, 3 retries, 2 repeated$/);
  assert.match(lines[3]!, /each record once$/);
});

Deno.test("soak() ends with the first promise that is broken, and its seed", async () => {
  const error = new Error("lost");
  const { ports, seeds } = keeping((seed) => seed < 9 ? Promise.resolve(RESULT) : Promise.reject(error));
  const tally = await soak(LONG, ports);
  assert.deepEqual(seeds, [7, 8, 9]);
  assert.deepEqual(tally.violation, { seed: 9, error });
  assert.equal(tally.records, 200);
});

Deno.test("soak() begins no round when the time is over, or when it was told to end", async () => {
  const over = keeping(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return RESULT;
  });
  await soak({ minutes: 0.0001, seed: 1 }, over.ports);
  assert.deepEqual(over.seeds, [1]);
  const interrupt = new AbortController();
  const ended = keeping((seed) => {
    if (seed === 8) interrupt.abort();
    return Promise.resolve(RESULT);
  }, interrupt.signal);
  await soak(LONG, ended.ports);
  assert.deepEqual(ended.seeds, [7, 8]);
});
