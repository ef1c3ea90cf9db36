import { strict as assert } from "node:assert";
import driver from "postgres";
import { sharedPostgres, startPostgres } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { Deployment, HEALTHY, pgTide, refusal } from "./deployment.ts";

/** Every command that needs the database. */
const COMMANDS = ["run", "install", "status"] as const;

interface BadDay {
  readonly url: string;
  readonly code: 2 | 3;
  /** What happened, then what to do. */
  readonly says: RegExp;
}

async function assertRefused(
  { url, code, says }: BadDay,
  commands: readonly string[] = COMMANDS,
): Promise<void> {
  for (const command of commands) {
    const outcome = await pgTide([command, "--postgres-url", url]);
    assert.match(outcome.err, says);
    assert.equal(outcome.code, code, outcome.err);
    assert.equal(outcome.out, "");
    assert.doesNotMatch(outcome.err, / at \S+:\d+:\d+/, "no stack");
  }
}

Deno.test("a database that cannot be reached or logged in to: what, where, and what to do", async (t) => {
  const shared = await sharedPostgres(18);
  const { host } = new URL(shared.url());
  const days: Readonly<Record<string, BadDay>> = {
    "wrong password": {
      url: `postgresql://postgres:wrong@${host}/postgres`,
      code: 2,
      says: new RegExp(
        `at ${host}/postgres: the server refused the login .*user "postgres"\\)\nCheck user and password`,
      ),
    },
    "unknown role": {
      url: `postgresql://nobody_here:x@${host}/postgres`,
      code: 2,
      says: /the server refused the login .*"nobody_here"\)\nCheck user and password/,
    },
    "no database": {
      url: shared.url("not_there"),
      code: 2,
      says:
        /the database does not exist \(.*"not_there".*\)\nCheck the database's name in the URL, or create it/,
    },
    "unknown host": {
      url: "postgresql://u:p@no-such-host.invalid/x",
      code: 3,
      says: /at no-such-host\.invalid:5432\/x: the host name is not known\nCheck the host in the URL/,
    },
    "nothing listens": {
      url: "postgresql://u:p@127.0.0.1:1/x",
      code: 3,
      says: /at 127\.0\.0\.1:1\/x: the connection was refused\nCheck host and port/,
    },
    "no TLS": {
      url: `${shared.url()}?sslmode=require`,
      code: 2,
      says: /no encrypted connection could be made\nCheck sslmode in the URL, and that the server has TLS/,
    },
    "no URL": {
      url: "localhost:5432/x",
      code: 2,
      says: /Cannot use --postgres-url: .*expected a URL such as postgresql:\/\//,
    },
  };
  for (const [name, day] of Object.entries(days)) await t.step(name, () => assertRefused(day));
});

Deno.test("PostgreSQL 13 is refused, by every command and by the printed SQL", async () => {
  await using server = await startPostgres({ version: 13, durable: false });
  const says = /it is PostgreSQL 13\.\d+, expected 14 or newer\nUpgrade the server/;
  await assertRefused({ url: server.url(), code: 2, says });
  const { out } = await pgTide(["install", "--print"]);
  const sql = driver(server.url(), { max: 1, onnotice: () => {} });
  try {
    const { code, message, hint } = await refusal(sql.unsafe(out).simple());
    assert.equal(code, "TD070");
    assert.match(message, /this is PostgreSQL 13\.\d+, expected 14 or newer/);
    assert.equal(hint, "Upgrade the server.");
  } finally {
    await sql.end();
  }
});

Deno.test("a standby is refused; a relay whose server becomes one waits, and goes on when it is promoted", async () => {
  await using server = await startPostgres({ version: 18 });
  await using deployment = await Deployment.install(server);
  await deployment.addHealthy();
  await using relay = await deployment.startRelay(["--lease-ms", "1000"]);
  await deployment.healthyGoesOn(relay);

  await server.demote();
  const says = /it is a standby, expected the primary\nConnect to the primary/;
  await assertRefused({ url: deployment.url, code: 2, says });
  await waitUntil(async () => (await relay.log()).includes("POSTGRES_UNAVAILABLE"), {
    what: "the relay to say that it waits",
  });
  assert.equal(await relay.exitCode(), undefined, await relay.log());

  await deployment.sql`SELECT pg_promote()`;
  await deployment.healthyGoesOn(relay);
  await deployment.reaches(HEALTHY, "idle");
});

Deno.test("a crash of PostgreSQL is waited out, and what it kept is delivered", async () => {
  await using server = await startPostgres({ version: 14 });
  await using deployment = await Deployment.install(server);
  await deployment.addHealthy();
  await using relay = await deployment.startRelay(["--lease-ms", "1000"]);
  await deployment.healthyGoesOn(relay);
  for (let crash = 0; crash < 2; crash++) {
    await server.kill();
    await server.start();
    await deployment.healthyGoesOn(relay);
  }
  await deployment.reaches(HEALTHY, "idle");
  assert.equal(await relay.stop(), 0);
});

Deno.test("a schema that is missing, older, newer or somebody else's is told from one another", async (t) => {
  const shared = await sharedPostgres(18);
  await using empty = await shared.createDatabase();
  const relayOnly = ["run", "status"];
  await t.step("missing", () =>
    assertRefused({
      url: empty.url,
      code: 2,
      says: /pg-tide is not installed there\nRun pg-tide install with the same URL/,
    }, relayOnly));

  await using deployment = await Deployment.install(shared);
  const { sql, url } = deployment;
  await t.step("older", async () => {
    await sql`DELETE FROM tide.schema_version WHERE version = (SELECT max(version) FROM tide.schema_version)`;
    const says =
      /its schema tide has version \d+, expected \d+ or newer\nRun pg-tide install with this version/;
    await assertRefused({ url, code: 2, says }, relayOnly);
  });
  await t.step("newer", async () => {
    await sql`INSERT INTO tide.schema_version (version) SELECT 9000 + i FROM generate_series(0, 1) i`;
    const says = /schema tide has version 9001, expected at most \d+\nUse a newer pg-tide/;
    await assertRefused({ url, code: 2, says });
  });
  await t.step("somebody else's", async () => {
    await using foreign = await shared.createDatabase();
    const other = driver(foreign.url, { max: 1, onnotice: () => {} });
    await other.unsafe("CREATE SCHEMA tide; CREATE TABLE tide.moon (phase text)").simple();
    await other.end();
    const says = /the database has a schema tide that is not pg-tide's\nRename or drop that schema/;
    await assertRefused({ url: foreign.url, code: 2, says }, ["install"]);
  });
});

Deno.test("a role without rights is told what to ask for", async () => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  const role = `tide_role_${crypto.randomUUID().slice(0, 8)}`;
  await deployment.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  try {
    const url = new URL(deployment.url);
    url.username = role;
    url.password = "secret";
    const says =
      /the role has no rights on the schema tide\nHave an administrator run SELECT tide\.grant_relay/;
    await assertRefused({ url: url.href, code: 2, says }, ["run", "status"]);
    const install = /Cannot install pg-tide: .*\nInstall as a role that may create a schema/;
    await assertRefused({ url: url.href, code: 2, says: install }, ["install"]);
  } finally {
    await deployment.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`).simple();
  }
});
