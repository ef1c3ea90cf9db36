/**
 * Encrypted connections, and servers that take none.
 */

import assert from "node:assert/strict";
import { EXIT, UserError } from "../../../src/base/errors.ts";
import { connect } from "../../../src/pg/database.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { type PostgresServer, sharedPostgres, startPostgres, unprivileged } from "../../support/postgres.ts";
import { FROM_SOURCE, runProgram } from "../../support/relay_process.ts";
import { tideDatabase } from "../../support/tide_database.ts";
import { join } from "node:path";

/** Run a test beside a server with a certificate of its own, of which the path is given. */
async function withTls(test: (server: PostgresServer, certificate: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    const { certificate, key } = await makeCertificate();
    const [certificatePath, keyPath] = [join(folder, "server.crt"), join(folder, "server.key")];
    await Deno.writeTextFile(certificatePath, certificate);
    await Deno.writeTextFile(keyPath, key);
    // PostgreSQL insists that nobody but its own user can read the key.
    const { uid, gid } = await unprivileged();
    await Deno.chmod(folder, 0o711);
    await Deno.chmod(keyPath, 0o600);
    if (uid !== undefined) await Deno.chown(keyPath, uid, gid ?? null);
    await using server = await startPostgres({
      version: 18,
      settings: { ssl: "on", ssl_cert_file: certificatePath, ssl_key_file: keyPath },
    });
    await test(server, certificatePath);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function withMode(url: string, mode: string, host?: string): string {
  const changed = new URL(url);
  changed.searchParams.set("sslmode", mode);
  if (host !== undefined) changed.hostname = host;
  return changed.href;
}

async function isEncrypted(url: string): Promise<boolean> {
  const db = await connect({ url, requireSchema: false });
  try {
    const query = "SELECT ssl, repeat('x', 3000000) AS much FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    const [row] = await db.query<{ ssl: boolean; much: string }>(query);
    assert.equal(row!.much.length, 3_000_000);
    return row!.ssl;
  } finally {
    await db.close();
  }
}

const refuses = (code: string, text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UserError);
  assert.equal(error.code, code);
  assert.equal(error.exitCode, EXIT.usage);
  assert.match(error.message, text);
  return true;
};

Deno.test("connect() encrypts as sslmode says, with a server that can", () =>
  withTls(async (server, certificate) => {
    assert.equal(await isEncrypted(withMode(server.url(), "disable")), false);
    assert.equal(await isEncrypted(withMode(server.url(), "prefer")), true);
    assert.equal(await isEncrypted(withMode(server.url(), "require")), true);
    // Nobody here trusts the certificate.
    for (const mode of ["verify-ca", "verify-full"]) {
      await assert.rejects(
        () => isEncrypted(withMode(server.url(), mode, "localhost")),
        refuses("POSTGRES_TLS_FAILED", /no encrypted connection could be made/),
      );
    }

    await using database = await tideDatabase(server);
    const status = (host: string, env: Record<string, string>) =>
      runProgram(FROM_SOURCE, ["status", "--postgres-url", withMode(database.url, "verify-full", host)], {
        env,
      });
    for (const host of ["localhost", "127.0.0.1"]) {
      const trusted = await status(host, { DENO_CERT: certificate });
      assert.equal(trusted.code, EXIT.good, trusted.stderr);
      assert.equal((await status(host, {})).code, EXIT.usage);
    }
  }));

Deno.test("connect() says what is wrong with a server that takes no encrypted connections", async () => {
  const url = (await sharedPostgres(14)).url();
  assert.equal(await isEncrypted(withMode(url, "prefer")), false);
  await assert.rejects(
    () => isEncrypted(withMode(url, "require")),
    refuses("POSTGRES_TLS_FAILED", /encrypted/),
  );
});

Deno.test("connect() trusts no answer to its question for TLS that says more than yes or no", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(100));
      // Somebody between us and the server could put in what would be taken for encrypted.
      await connection.write(new TextEncoder().encode("SR"));
      await connection.read(new Uint8Array(100));
      connection.close();
    }
  })();
  const url = `postgres://u:p@127.0.0.1:${listener.addr.port}/d?sslmode=require`;
  await assert.rejects(() => connect({ url }), refuses("POSTGRES_TLS_FAILED", /encrypted/));
  listener.close();
  await serving;
});
