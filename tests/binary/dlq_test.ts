/**
 * Dead letters by the compiled program: found, shown, sent again, waited for, thrown away, and what is refused.
 */

import { strict as assert } from "node:assert";
import { join } from "node:path";
import { sharedPostgres } from "../support/postgres.ts";
import { COMPILED, RelayProcess } from "../support/relay_process.ts";
import { waitUntil } from "../support/wait.ts";
import { Deployment, logs, type Outcome, type PipelineConfig } from "./deployment.ts";
import { withFolder } from "./folder.ts";

const postgres = await sharedPostgres(18);

const NAME = "orders";

/** Messages without `x` have no topic. */
const BROKEN: PipelineConfig = { sink_type: "stdout", topic: "t-{payload.x}" };
const CORRECT: PipelineConfig = { sink_type: "stdout", topic: "t-{payload.x|none}" };

function assertOutcome(outcome: Outcome, code: number, ...patterns: readonly RegExp[]): void {
  const text = outcome.out + outcome.err;
  assert.equal(outcome.code, code, text);
  for (const pattern of patterns) assert.match(text, pattern);
}

/** A pipeline with so many dead letters, and the relay that has filed them. */
async function withLetters(deployment: Deployment, count: number): Promise<RelayProcess> {
  await deployment.addPipeline(NAME, BROKEN);
  for (let n = 1; n <= count; n++) await deployment.publish(NAME, { n }, `key ${n}`);
  const relay = await deployment.startRelay();
  await waitUntil(async () => await deployment.deadLetters(NAME) === count, {
    what: `${count} dead letters`,
    timeoutMs: 60_000,
  });
  return relay;
}

/** What the relay has delivered: number, and how often it was sent again. */
async function delivered(relay: RelayProcess): Promise<readonly (readonly [number, string | undefined])[]> {
  const lines = (await relay.log()).split("\n").filter((line) => line.startsWith('{"id":'));
  return lines.map((line) => JSON.parse(line)).map(({ value, headers }) => [value.n, headers.pg_tide_retry]);
}

Deno.test("dlq list, show and status show dead letters to people and to programs", async () => {
  await using deployment = await Deployment.install(postgres);
  await using _relay = await withLetters(deployment, 3);
  const dlq = (...args: string[]) => deployment.run(["dlq", ...args]);
  assertOutcome(
    await dlq("list"),
    0,
    /^ID +PIPELINE +MESSAGE +OP +STAGE +CODE +ATTEMPTS +TOPIC +FAILED\n/,
    /^1 +orders +1 +insert +route +TEMPLATE_VALUE_MISSING +1 +- +2.*Z\n {4}Cannot render topic: .*\{payload\.x\}/m,
    /pg-tide dlq show 1 shows one whole\..*pg-tide dlq retry --pipeline orders sends them again\.\n$/,
  );
  assertOutcome(await dlq("list", "--limit", "2"), 0, /^There are more: --after 2 shows those behind\.$/m);
  const page = JSON.parse((await dlq("list", "--after", "2", "--json")).out);
  assert.deepEqual([page.more, page.dead_letters.length, page.dead_letters[0].message_id], [false, 1, 3]);
  for (const none of [["--code", "NOTHING"], ["--pipeline", "x"], ["--before", "2020-01-01T00:00:00Z"]]) {
    assertOutcome(await dlq("list", ...none), 0, /^There are no such dead letters\.\n$/);
  }

  assertOutcome(await dlq("show", "2"), 0, /^dedup_key +key 2$/m, /^payload +\{"n": 2\}$/m, /^revision +1$/m);
  const shown = JSON.parse((await dlq("show", "2", "--json")).out);
  assert.match(shown.pg_tide_id, /^[0-9a-f]{8}-2$/);
  assert.deepEqual([shown.payload, shown.failure, shown.first_failed_at === shown.failed_at], [
    { n: 2 },
    "rejected",
    true,
  ]);

  assertOutcome(await dlq("status"), 0, /^orders +TEMPLATE_VALUE_MISSING +3 /m);
  const { dead_letters: [sum], retries } = JSON.parse((await dlq("status", "--json")).out);
  assert.deepEqual([sum.pipeline, sum.letters, retries], [NAME, 3, []]);
  assertOutcome(await deployment.run(["status"]), 0, /^orders .* idle +0 +0\.0 s +3$/m);
});

Deno.test("dlq retry sends dead letters again, waits with progress, and says what was refused", async () => {
  await using deployment = await Deployment.install(postgres);
  await using relay = await withLetters(deployment, 4);
  const dlq = (...args: string[]) => deployment.run(["dlq", ...args]);
  assertOutcome(
    await dlq("retry", "--pipeline", NAME, "--dry-run"),
    0,
    /^4 dead letters would be sent again\.\n$/,
  );
  assertOutcome(
    await dlq("retry", "--pipeline", NAME, "--wait"),
    1,
    /^Retry 1 is done: 0 of 4 delivered, 4 refused again\.$/m,
    /pg-tide dlq list --pipeline orders shows why/,
  );
  await withFolder(async (folder) => {
    const payload = join(folder, "payload.json");
    await Deno.writeTextFile(payload, '{"n": 20, "x": "edited"}');
    assertOutcome(
      await dlq("retry", "--id", "2", "--payload", payload, "--wait"),
      0,
      /^Retry 2 is done: 1 of 1 delivered\.$/m,
    );
  });
  await deployment.configure(NAME, CORRECT);
  const receipt = await dlq(
    "retry",
    "--pipeline",
    NAME,
    "--code",
    "TEMPLATE_VALUE_MISSING",
    "--rate",
    "2",
    "--json",
  );
  assert.deepEqual(JSON.parse(receipt.out), { retry: 3, letters: 3, dry_run: false });
  await waitUntil(async () => await deployment.deadLetters(NAME) === 0, {
    what: "all to be sent",
    timeoutMs: 60_000,
  });
  assert.deepEqual(await delivered(relay), [[20, "2"], [1, "2"], [3, "2"], [4, "2"]]);
  assertOutcome(await dlq("retry", "--pipeline", NAME), 0, /^No dead letter matches\.\n$/);
  // The request is closed in a statement of its own, after its last letter is gone.
  await waitUntil(async () => /^3 +orders +finished /m.test((await dlq("status")).out), {
    what: "the end of the request",
    timeoutMs: 60_000,
  });
  assertOutcome(
    await dlq("status"),
    0,
    /^There are no dead letters\.\n/,
    /^3 +orders +finished +3 +3 +0 +0 +0 +2\/s/m,
  );
});

Deno.test("dlq retry --wait ends with Ctrl-C and leaves the retry, which dlq cancel calls off", async () => {
  await using deployment = await Deployment.install(postgres);
  await using relay = await withLetters(deployment, 1);
  await deployment.sql`SELECT tide.relay_disable(${NAME})`;
  await using waiting = await RelayProcess.start(COMPILED, [
    ...["dlq", "retry", "--pipeline", NAME, "--wait"],
    ...["--postgres-url", deployment.url],
  ]);
  await logs(waiting, /Retry 1 sends 1 dead letter again/);
  assert.match(await waiting.log(), /^Notice: Pipeline "orders" is disabled: /m);
  await waiting.signal("SIGINT");
  assert.equal(await waiting.ended(), 130);
  assert.match(
    await waiting.log(),
    /^Not waited for any longer\. Retry 1 goes on: .*pg-tide dlq cancel 1 calls it off\.$/m,
  );
  assertOutcome(
    await deployment.run(["status"]),
    0,
    /^ {4}1 dead letters are being sent again: pg-tide dlq status$/m,
  );
  const dlq = (...args: string[]) => deployment.run(["dlq", ...args]);
  assertOutcome(await dlq("list"), 0, /^ {4}It is to be sent again: retry 1$/m);
  assertOutcome(await dlq("cancel", "1"), 0, /^Retry 1 is called off/);
  assert.deepEqual(JSON.parse((await dlq("cancel", "1", "--json")).out), { retry: 1, cancelled: false });
  assert.equal(await relay.stop(), 0);
});

Deno.test("dlq discard throws away what matches, and nothing when nothing is said", async () => {
  await using deployment = await Deployment.install(postgres);
  await using _relay = await withLetters(deployment, 3);
  const dlq = (...args: string[]) => deployment.run(["dlq", "discard", ...args]);
  assertOutcome(await dlq(), 2, /nothing says which, expected --pipeline, --id, --code or --before\n/);
  assertOutcome(await dlq("--pipeline", NAME, "--dry-run"), 0, /^3 dead letters would be thrown away\.\n$/);
  assertOutcome(await dlq("--id", "2"), 0, /^1 dead letter was thrown away\.\n$/);
  assert.deepEqual(JSON.parse((await dlq("--pipeline", NAME, "--json")).out), { letters: 2, dry_run: false });
  assert.equal(await deployment.deadLetters(NAME), 0);
});

Deno.test("dlq commands refuse what makes no sense, and say what to do", async () => {
  await using deployment = await Deployment.install(postgres);
  await deployment.addPipeline(NAME, CORRECT);
  const cases: readonly (readonly [line: string, code: number, pattern: RegExp])[] = [
    ["list --limit 0", 2, /^Error: Cannot use --limit: "0", expected a whole number from 1 to 10000\n/],
    ["list --before tomorrow", 2, /Cannot use --before: "tomorrow", expected a time such as/],
    ["show x", 2, /Cannot use the id: "x", expected a whole number/],
    ["show 99", 2, /Cannot show dead letter 99: there is none for role/],
    ["retry", 2, /nothing says which, expected --pipeline or --id\n/],
    ["retry --pipeline nothing", 2, /there is no pipeline "nothing" for role/],
    ["retry --id 99", 2, /Cannot retry dead letter 99: there is none/],
    [
      "retry --pipeline orders --payload /does/not/exist",
      2,
      /Cannot use --payload: "\/does\/not\/exist", expected a file/,
    ],
    [
      "retry --pipeline orders --into orders --rate 0 --id x",
      2,
      /^Error: 2 flags are wrong\n {2}- .*--id.*\n {2}- .*--rate/,
    ],
    ["cancel 99", 2, /Cannot cancel retry 99: there is none/],
    ["lst", 2, /unknown command 'lst'\n.*Did you mean list\?/],
  ];
  for (const [line, code, pattern] of cases) {
    const outcome = await deployment.run(["dlq", ...line.split(" ")]);
    assertOutcome(outcome, code, pattern);
    assert.equal(outcome.out, "", "errors go to standard error");
  }
  const [role, password] = [`dlq_${crypto.randomUUID().slice(0, 8)}`, "secret"];
  await deployment.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  const url = new URL(deployment.url);
  [url.username, url.password] = [role, password];
  const as = (...args: string[]) => deployment.runAs(url.href, ["dlq", ...args]);
  try {
    assertOutcome(await as("list"), 2, /the role has no rights on the schema tide/);
    await deployment.sql`SELECT tide.grant_publish(${NAME}, ${role})`;
    assertOutcome(await as("list"), 2, /has no rights|permission denied/);
    await deployment.sql`SELECT tide.grant_pipeline(${NAME}, ${role})`;
    assertOutcome(await as("list"), 0, /There are no such dead letters/);
    assertOutcome(await as("retry", "--pipeline", NAME), 0, /No dead letter matches/);
  } finally {
    await deployment.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`).simple();
  }
  const unreachable = await deployment.runAs("postgresql://u:p@127.0.0.1:1/x", ["dlq", "list"]);
  assertOutcome(unreachable, 3, /127\.0\.0\.1:1\/x: the connection was refused/);
});
