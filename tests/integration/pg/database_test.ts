/**
 * Connections on bad days: lost, refused, silent, too few.
 */

import assert from "node:assert/strict";
import { EXIT, UserError } from "../../../src/base/errors.ts";
import { connect, type Database } from "../../../src/pg/database.ts";
import { CutProxy } from "../../support/cut_proxy.ts";
import { sharedPostgres } from "../../support/postgres.ts";
import { type TideDatabase, tideDatabase, tideTest } from "../../support/tide_database.ts";

/** A test with a database of its own, on one version: these are about connections. */
function databaseTest(title: string, body: (database: TideDatabase) => Promise<void>): void {
  Deno.test(title, async () => {
    await using database = await tideDatabase(await sharedPostgres(18));
    await body(database);
  });
}

/** A database that is closed at the end of the test. */
function closing(db: Database): Database & AsyncDisposable {
  return Object.assign(db, { [Symbol.asyncDispose]: () => db.close() });
}

/** The same URL by way of another port of this machine. */
function through(proxy: CutProxy, url: string): string {
  const moved = new URL(url);
  moved.hostname = "127.0.0.1";
  moved.port = String(proxy.port);
  return moved.href;
}

const setting = async (db: Database, name: string) => {
  const [row] = await db.query<{ value: string }>(`SELECT current_setting('${name}') AS value`);
  return row!.value;
};

async function took(work: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work;
  return performance.now() - startedMs;
}

tideTest(
  "connect() insists on what the fence relies on, whatever the role's defaults are",
  async (database) => {
    const role = await database.createRole();
    await database.sql`SELECT tide.grant_relay(${role.name})`;
    await database.sql.unsafe(`
    ALTER ROLE ${role.name} SET default_transaction_isolation = 'serializable';
    ALTER ROLE ${role.name} SET synchronous_commit = 'off'`).simple();
    await using db = closing(await connect({ url: role.url }));
    assert.equal(await setting(db, "transaction_isolation"), "read committed");
    assert.equal(await setting(db, "synchronous_commit"), "on");
  },
);

databaseTest(
  "a role with fewer connections than the relay may open is slow, not broken",
  async (database) => {
    const role = await database.createRole();
    await database.sql`SELECT tide.grant_relay(${role.name})`;
    await database.sql.unsafe(`ALTER ROLE ${role.name} CONNECTION LIMIT 2`);
    await using db = closing(await connect({ url: role.url, maxConnections: 8 }));
    const answers = await Promise.all(
      Array.from(
        { length: 40 },
        (_, n) => db.query<{ n: number }>("SELECT $1::integer AS n, pg_sleep(0.005)::text", [n]),
      ),
    );
    assert.deepEqual(answers.map(([row]) => row!.n), Array.from({ length: 40 }, (_, n) => n));
  },
);

databaseTest(
  "a quick query does not stand behind a slow one while a connection is free",
  async (database) => {
    await using db = closing(await connect({ url: database.url, maxConnections: 2 }));
    let over = false;
    const slow = db.query("SELECT pg_sleep(2)::text").then(() => over = true);
    for (let n = 0; n < 20; n++) await db.query("SELECT 1");
    assert.equal(over, false);
    await slow;
  },
);

Deno.test("connections on which nothing arrives are given up, and every query that waits on them fails", async () => {
  await using database = await tideDatabase(await sharedPostgres(18));
  await using line = await CutProxy.to(Number(new URL(database.url).port));
  await using db = closing(await connect({ url: through(line, database.url), maxConnections: 2 }));
  const other = db.query("SELECT pg_sleep(0.2)::text");
  await db.query("SELECT 1");
  line.freeze();
  await assert.rejects(() => db.query("SELECT 2", [], { withinMs: 300 }), /no answer within 0.3 s/);
  await assert.rejects(() => other, /no answer within 0.3 s/);
  // All is well on new connections.
  const rows = await Promise.all([3, 4, 5].map((n) => db.query<{ n: number }>(`SELECT ${n} AS n`)));
  assert.deepEqual(rows.map(([row]) => row!.n), [3, 4, 5]);
});

Deno.test("close() does not wait for a server that does not answer", async () => {
  await using database = await tideDatabase(await sharedPostgres(18));
  await using line = await CutProxy.to(Number(new URL(database.url).port));
  const db = await connect({ url: through(line, database.url) });
  const channel = db.channel("tide_config");
  await channel.wait(channel.count, 10_000, new AbortController().signal);
  line.mode = "hang";
  const hanging = assert.rejects(() => db.query("SELECT 1"));
  // One more LISTEN, which is not answered.
  db.channel("tide_1");
  assert.ok(await took(db.close()) < 10_000);
  await hanging;
});

for (const mode of ["refuse", "hang"] as const) {
  Deno.test(`connect() says that there is no answer when connections ${mode}`, async () => {
    const server = new URL((await sharedPostgres(18)).url());
    await using line = await CutProxy.to(Number(server.port));
    line.mode = mode;
    const url = `postgres://u:p@127.0.0.1:${line.port}/d`;
    await assert.rejects(() => connect({ url, connectTimeoutSeconds: 1 }), (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "POSTGRES_UNREACHABLE");
      assert.match(error.message, /there is no answer/);
      return true;
    });
  });
}

Deno.test("connect() gives up on a proxy with nothing behind it, which closes every connection at once", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let accepted = 0;
  const serving = (async () => {
    for await (const connection of listener) {
      accepted++;
      connection.close();
    }
  })();
  const url = `postgres://u:p@127.0.0.1:${listener.addr.port}/d?sslmode=disable`;
  await assert.rejects(() => connect({ url }), (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.code, "POSTGRES_UNREACHABLE");
    return true;
  });
  listener.close();
  await serving;
  assert.ok(accepted < 10, `${accepted} connections`);
});

Deno.test("a connection that is lost in the middle of the login fails at once", async () => {
  await using server = new HalfLogin();
  await assert.rejects(() => connect({ url: server.url }), (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.exitCode, EXIT.unreachable);
    return true;
  });
  assert.equal(server.logins, 1);
});

/** A server that goes away between the challenge of a login and its answer. */
class HalfLogin implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving = this.#serve();
  logins = 0;

  get url(): string {
    return `postgres://u:p@127.0.0.1:${this.#listener.addr.port}/d?sslmode=disable`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    for await (const connection of this.#listener) {
      this.logins++;
      const buffer = new Uint8Array(1_000);
      await connection.read(buffer);
      await connection.write(authentication(10, "SCRAM-SHA-256\0\0"));
      const length = (await connection.read(buffer))!;
      const nonce = new TextDecoder().decode(buffer.subarray(0, length)).match(/r=(.*)/)![1];
      await connection.write(authentication(11, `r=${nonce}x,s=${btoa("salt")},i=4096`));
      connection.close();
    }
  }
}

/** An authentication message of PostgreSQL's protocol. */
function authentication(kind: number, text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const message = new Uint8Array(9 + bytes.length);
  const view = new DataView(message.buffer);
  view.setUint8(0, "R".charCodeAt(0));
  view.setUint32(1, 8 + bytes.length);
  view.setUint32(5, kind);
  message.set(bytes, 9);
  return message;
}

databaseTest("a database goes on after all its connections were ended", async (database) => {
  await using db = closing(await connect({ url: database.url, maxConnections: 4 }));
  await Promise.all(Array.from({ length: 4 }, () => db.query("SELECT pg_sleep(0.05)::text")));
  for (let round = 0; round < 3; round++) {
    await database.sql`
      SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'pg-tide'`;
    // A query may still go to a connection of which the end is not known yet; it fails then, and is not lost.
    let failures = 0;
    for (let n = 0; n < 20; n++) await db.query("SELECT 1").catch(() => failures++);
    assert.ok(failures <= 4, `${failures} queries failed`);
    await db.query("SELECT 1");
  }
});
