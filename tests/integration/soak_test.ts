import { strict as assert } from "node:assert";
import { join } from "node:path";
import { runCommand } from "../support/command.ts";
import { sharedKafka } from "../support/kafka.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { ROOT } from "../support/repository.ts";

/** Of the whole relay; those after it are of the sink. */
const SEED = 3;

Deno.test("the soak keeps every promise for twenty seconds, and says what it did", async () => {
  const [kafka, postgres] = [await sharedKafka(), await sharedPostgres(18)];
  const { code, stderr, stdout } = await runCommand(Deno.execPath(), [
    ...["run", "-A", "--frozen", "--no-check", `--config=${join(ROOT, "deno.json")}`],
    join(ROOT, "tests/soak/main.ts"),
    ...["--json", "--minutes", "0.33", "--seed", String(SEED)],
    ...["--brokers", kafka.brokers, "--postgres-url", postgres.url()],
  ]);
  assert.equal(code, 0, stderr);
  const report = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
  assert.deepEqual([report.good, report.lost, report.out_of_order], [true, 0, 0]);
  assert.equal(report.rounds["whole relay"], 1);
  assert.ok(report.records >= 4_000 && report.retries > 0, JSON.stringify(report));
  assert.ok(Object.keys(report.faults).length > 0, JSON.stringify(report));
  assert.match(stderr, new RegExp(`^seed ${SEED}: whole relay$`, "m"));
});
