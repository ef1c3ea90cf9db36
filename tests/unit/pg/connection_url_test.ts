import assert from "node:assert/strict";
import fc from "fast-check";
import { UserError } from "../../../src/base/errors.ts";
import { describeTarget, parseConnectionUrl } from "../../../src/pg/connection_url.ts";

Deno.test("parseConnectionUrl() reads every part, and leaves out what is absent", () => {
  assert.deepEqual(parseConnectionUrl("postgresql://relay_user:password@localhost:5432/mydb"), {
    host: "localhost",
    port: 5432,
    database: "mydb",
    user: "relay_user",
    password: "password",
    ssl: "prefer",
  });
  assert.deepEqual(parseConnectionUrl("postgres://db.example.com"), {
    host: "db.example.com",
    port: 5432,
    ssl: "prefer",
  });
  assert.deepEqual(parseConnectionUrl("postgres://u:p%40ss%2F%23@[::1]:6000/my%20db?sslmode=require"), {
    host: "::1",
    port: 6000,
    database: "my db",
    user: "u",
    password: "p@ss/#",
    ssl: "require",
  });
});

Deno.test("parseConnectionUrl() understands sockets, which are never encrypted", () => {
  const urls = [
    "postgresql:///app?host=/run/postgresql",
    "postgresql://%2Frun%2Fpostgresql/app",
    "postgresql://localhost/app?host=/run/postgresql&sslmode=verify-full",
  ];
  for (const url of urls) {
    const { host, database, ssl } = parseConnectionUrl(url);
    assert.deepEqual([host, database, ssl], ["/run/postgresql", "app", false], url);
  }
  assert.equal(parseConnectionUrl("postgresql://me@/app").user, "me");
});

Deno.test("parseConnectionUrl() knows the modes of sslmode", () => {
  const modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
  assert.deepEqual(modes.map((mode) => parseConnectionUrl(`postgres://h/d?sslmode=${mode}`).ssl), [
    false,
    "prefer",
    "prefer",
    "require",
    "verify-full",
    "verify-full",
  ]);
});

Deno.test("parseConnectionUrl() says what is wrong, and never shows the URL", () => {
  const table: readonly [url: string, message: RegExp][] = [
    ["mysql://u:s3cret@h/d", /does not start with postgresql:\/\//],
    ["host=h password=s3cret", /does not start with postgresql:\/\//],
    [
      "postgres://u:s3cret@h/d?sslmode=on",
      /sslmode is "on", expected one of disable, allow, prefer, require/,
    ],
    ["postgres://u:s3cret#x@h:port/d", /is not a URL; characters such as @ : \/ # %/],
    ["postgres://u:s3cret%zz@h/d", /is not a URL/],
  ];
  for (const [url, message] of table) {
    assert.throws(() => parseConnectionUrl(url), (error) => {
      assert.ok(error instanceof UserError);
      assert.deepEqual([error.code, error.exitCode], ["POSTGRES_URL_INVALID", 2]);
      assert.match(error.message, message);
      assert.doesNotMatch(`${error.message} ${error.advice}`, /s3cret/);
      return true;
    });
  }
});

Deno.test("parseConnectionUrl() gives back whatever was encoded", () => {
  const text = fc.string({ minLength: 1 }).map((one) => one.toWellFormed()).filter((one) =>
    !one.startsWith("/")
  );
  fc.assert(fc.property(text, text, text, (user, password, database) => {
    const [u, p, d] = [user, password, database].map(encodeURIComponent);
    // A path of one or two dots means a folder in a URL.
    fc.pre(!/^\.{1,2}$/.test(database));
    const target = parseConnectionUrl(`postgresql://${u}:${p}@h:1/${d}`);
    assert.deepEqual([target.user, target.password, target.database], [user, password, database]);
  }));
});

Deno.test("describeTarget() shows neither user nor password", () => {
  const target = parseConnectionUrl("postgresql://someone:s3cret@db:6000/app");
  assert.equal(describeTarget(target), "db:6000/app");
  assert.equal(describeTarget(parseConnectionUrl("postgresql://db")), "db:5432");
});
