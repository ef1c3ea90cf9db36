import type { FieldRule, FieldSpec, Json } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import {
  ALLOW_ENV_DEFAULT,
  ALLOW_FILE_DEFAULT,
  interpolate,
  type Interpolated,
} from "../../../src/config/interpolate.ts";
import { parseFields } from "../../../src/config/parse.ts";

const SPECS: readonly FieldSpec[] = [
  {
    name: "brokers",
    type: "string",
    pattern: "[^:,]+:[0-9]+",
    patternDoc: "host:port",
    interpolates: true,
    doc: "Brokers.",
  },
  { name: "user", type: "string", interpolates: true, doc: "User." },
  { name: "password", type: "string", secret: true, interpolates: true, doc: "Password." },
  { name: "headers", type: "string_map", interpolates: true, doc: "Headers." },
  { name: "ca", type: "string", file: true, interpolates: true, doc: "CA." },
  { name: "key", type: "string", file: true, secret: true, doc: "Key." },
];
const RULES: readonly FieldRule[] = [
  { when: { field: "user", is: ["root"] }, then: { field: "ca" }, message: "root needs a ca" },
];

interface World {
  readonly env?: Readonly<Record<string, string>>;
  /** Files by real path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Links to real paths, of files and folders. */
  readonly links?: Readonly<Record<string, string>>;
  readonly allowEnv?: readonly string[];
  readonly allowFile?: readonly string[];
}

function resolve(raw: Json, world: World): Promise<Interpolated> {
  const { values, problems } = parseFields(SPECS, RULES, raw);
  assert.deepEqual(problems, []);
  const { env = {}, files = {}, links = {} } = world;
  const missing = () => new Deno.errors.NotFound("No such file or directory (os error 2): readfile 'x'");
  return interpolate({ specs: SPECS, rules: RULES }, values, {
    allowEnv: world.allowEnv ?? ALLOW_ENV_DEFAULT,
    allowFile: world.allowFile ?? ALLOW_FILE_DEFAULT,
  }, {
    env: (name) => env[name],
    readText: (path) => path in files ? Promise.resolve(files[path]!) : Promise.reject(missing()),
    realPath: (path) => Promise.resolve(links[path] ?? path),
  });
}

async function messages(raw: Json, world: World): Promise<string[]> {
  return (await resolve(raw, world)).problems.map(({ message }) => message);
}

Deno.test("interpolate() resolves variables and files within texts and maps", async () => {
  const { values, problems, secrets, namesFiles } = await resolve({
    brokers: "${env:KAFKA_HOST}:${env:KAFKA_PORT}",
    password: "${file:/run/secrets/kafka}",
    headers: { a: "x-${env:TIDE_SECRET_A}-${env:KAFKA_HOST}" },
  }, {
    env: { KAFKA_HOST: "broker", KAFKA_PORT: "9092", TIDE_SECRET_A: "s3cret" },
    files: { "/run/secrets/kafka": "hunter2\n" },
  });
  assert.deepEqual(problems, []);
  assert.equal(values["brokers"], "broker:9092");
  assert.equal(values["password"], "hunter2");
  assert.deepEqual({ ...Object(values["headers"]) }, { a: "x-s3cret-broker" });
  assert.deepEqual([...secrets].sort(), ["hunter2", "s3cret"]);
  assert.ok(namesFiles);
});

Deno.test("interpolate() does not look again at what took a reference's place", async () => {
  const { values } = await resolve({ user: "${env:KAFKA_A}" }, {
    env: { KAFKA_A: "${env:KAFKA_B}$&", KAFKA_B: "no" },
  });
  assert.equal(values["user"], "${env:KAFKA_B}$&");
});

Deno.test("interpolate() resolves allowed names only, and never the relay's own", async () => {
  const env = { HOME: "/root", PGPASSWORD: "pg", PG_TIDE_POSTGRES_URL: "url", KAFKA_X: "x" };
  assert.deepEqual(await messages({ user: "${env:HOME}" }, { env }), [
    "Cannot resolve ${env:HOME} in user: the operator allows KAFKA_*, CONFLUENT_*, SCHEMA_REGISTRY_*, TIDE_SECRET_* " +
    "(the relay's --allow-env), expected one of those",
  ]);
  for (const name of ["PGPASSWORD", "PG_TIDE_POSTGRES_URL", "pgpassword"]) {
    assert.match(
      (await messages({ user: `\${env:${name}}` }, { env, allowEnv: ["*"] })).join(),
      /variables PG\* are the relay's own/,
    );
  }
  assert.deepEqual(await messages({ user: "${env:HOME}" }, { env, allowEnv: ["HO*"] }), []);
});

Deno.test("interpolate() names a variable that is not there", async () => {
  assert.deepEqual(await messages({ user: "${env:KAFKA_USER}", password: "${env:KAFKA_PASS}" }, {}), [
    "Cannot resolve ${env:KAFKA_USER} in user: the relay's environment has no variable KAFKA_USER",
    "Cannot resolve ${env:KAFKA_PASS} in password: the relay's environment has no variable KAFKA_PASS",
  ]);
});

Deno.test("interpolate() checks a resolved text against its field, and shows the reference in its place", async () => {
  assert.deepEqual(await messages({ brokers: "${env:KAFKA_SECRET}" }, { env: { KAFKA_SECRET: "hunter2" } }), [
    'Cannot use brokers: the value of "${env:KAFKA_SECRET}", expected host:port',
  ]);
});

Deno.test("interpolate() holds the rules that depend on references", async () => {
  assert.deepEqual(await messages({ user: "${env:KAFKA_U}" }, { env: { KAFKA_U: "root" } }), [
    "root needs a ca",
  ]);
  assert.deepEqual(await messages({ user: "${env:KAFKA_U}" }, { env: { KAFKA_U: "app" } }), []);
});

Deno.test("interpolate() reads the files of paths and leaves PEM texts as they are", async () => {
  const pem = "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n";
  const files = { "/etc/certs/ca.pem": pem, "/etc/certs/key.pem": "KEY\n" };
  const byPath = await resolve({ ca: "/etc/certs/ca.pem", key: "/etc/certs/key.pem" }, { files });
  assert.equal(byPath.values["ca"], pem);
  assert.deepEqual([...byPath.secrets], ["KEY\n"]);
  assert.equal((await resolve({ ca: pem }, {})).values["ca"], pem);
  assert.equal(
    (await resolve({ ca: "${env:KAFKA_CA}" }, { files, env: { KAFKA_CA: "/etc/certs/ca.pem" } }))
      .values["ca"],
    pem,
  );
});

Deno.test("interpolate() refuses paths outside of what is allowed", async () => {
  const files = { "/etc/shadow": "root", "/etc/certs/sub/x": "x" };
  const paths = [
    "/etc/shadow",
    "/etc/certs/../shadow",
    "/etc/certs/sub/x",
    "/etc/certs/x\0",
    "etc/certs/x",
    "./x",
    "/run/secrets/kubernetes.io/serviceaccount/token",
  ];
  for (const path of paths) {
    assert.match(
      (await messages({ ca: path }, { files })).join(),
      /is not allowed, expected .*--allow-file/,
      path,
    );
  }
  assert.deepEqual(await messages({ ca: "/etc/certs/sub/x" }, { files, allowFile: ["/etc/certs/**"] }), []);
});

Deno.test("interpolate() follows links only within what is allowed", async () => {
  const outside = await messages({ ca: "/etc/certs/x" }, {
    files: { "/etc/shadow": "s" },
    links: { "/etc/certs/x": "/etc/shadow" },
  });
  assert.match(outside.join(), /file "\/etc\/certs\/x" \(it is a link to elsewhere\) is not allowed/);
  const kubernetes = await resolve({ password: "${file:/run/secrets/p}" }, {
    files: { "/run/secrets/..2026/p": "s3cret" },
    links: { "/run/secrets/p": "/run/secrets/..2026/p" },
  });
  assert.equal(kubernetes.values["password"], "s3cret");
  const mac = await resolve({ ca: "/etc/certs/x" }, {
    files: { "/private/etc/certs/x": "pem" },
    links: { "/etc/certs/x": "/private/etc/certs/x", "/etc/certs": "/private/etc/certs" },
  });
  assert.equal(mac.values["ca"], "pem");
  const sibling = await messages({ ca: "/etc/certs/x" }, {
    files: { "/etc/certs-old/x": "s" },
    links: { "/etc/certs/x": "/etc/certs-old/x" },
  });
  assert.match(sibling.join(), /link to elsewhere/);
});

Deno.test("interpolate() says what is wrong with a file, and shows no path that came out of a reference", async () => {
  assert.deepEqual(await messages({ ca: "/etc/certs/none" }, {}), [
    'Cannot read ca: file "/etc/certs/none": there is no such file',
  ]);
  const hidden = await messages({ ca: "${env:KAFKA_SECRET}" }, { env: { KAFKA_SECRET: "hunter2" } });
  assert.match(hidden.join(), /file "\$\{env:KAFKA_SECRET\}" is not allowed/);
  assert.doesNotMatch(hidden.join(), /hunter2/);
  const large = await messages({ ca: "/etc/certs/x" }, {
    files: { "/etc/certs/x": "x".repeat(2 ** 20 + 1) },
  });
  assert.match(large.join(), /larger than 1048576 characters/);
});

Deno.test("interpolate() keeps literal secrets from being shown as well", async () => {
  assert.deepEqual([...(await resolve({ password: "literal" }, {})).secrets], ["literal"]);
});

Deno.test("interpolate() reads real files, with real links", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/real.pem`, "pem");
    await Deno.mkdir(`${folder}/allowed`);
    await Deno.symlink(`${folder}/real.pem`, `${folder}/allowed/link.pem`);
    const ports = {
      env: () => undefined,
      readText: (path: string) => Deno.readTextFile(path),
      realPath: (path: string) => Deno.realPath(path),
    };
    const policy = { allowEnv: [], allowFile: [`${folder}/allowed/*`] };
    const declarations = { specs: SPECS, rules: RULES };
    const escaped = await interpolate(declarations, { ca: `${folder}/allowed/link.pem` }, policy, ports);
    assert.match(escaped.problems[0]!.message, /link to elsewhere/);
    await Deno.rename(`${folder}/real.pem`, `${folder}/allowed/real.pem`);
    const inside = await interpolate(declarations, { ca: `${folder}/allowed/real.pem` }, policy, ports);
    assert.equal(inside.values["ca"], "pem");
    const gone = await interpolate(declarations, { ca: `${folder}/allowed/gone.pem` }, policy, ports);
    assert.match(gone.problems[0]!.message, /there is no such file/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
