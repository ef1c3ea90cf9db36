import { strict as assert } from "node:assert";
import { BINARY, buildBinary } from "../support/binary.ts";
import { runCommand } from "../support/command.ts";
import { sharedPostgres } from "../support/postgres.ts";
import { Deployment, pgTide } from "./deployment.ts";
import { withFolder, writePlugin } from "./folder.ts";

/** A sink as a user writes it, of which this repository knows nothing. */
const MY_SINK = `
import { defineSink, delivered, textAt, unavailable, faulted } from "@pg-tide/sdk";

defineSink({
  name: "my_sink",
  summary: "Posts each record to a URL",
  fields: [{ name: "url", type: "string", required: true, doc: "Where to post" }],
  permissions: { net: ["{url}"] },
  open: async ({ fields }) => ({
    deliver: async (page) => {
      for (let i = 0; i < page.count; i++) {
        const topic = page.topics[page.topic[i]];
        const body = JSON.stringify({ topic, key: textAt(page.key, i), value: textAt(page.value, i) });
        const response = await fetch(fields.url, { method: "POST", body });
        await response.text();
        if (!response.ok) return faulted(unavailable("HTTP", "it answered " + response.status));
      }
      return delivered(page.count);
    },
    close: async () => {},
  }),
});
`;

/** A server that keeps what is posted to it. */
async function withServer(test: (url: string, posted: readonly unknown[]) => Promise<void>): Promise<void> {
  const posted: unknown[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    posted.push(await request.json());
    return new Response("thanks");
  });
  try {
    await test(`http://127.0.0.1:${server.addr.port}/records`, posted);
  } finally {
    await server.shutdown();
  }
}

Deno.test("a sink that this repository did not write delivers from the compiled program", async () => {
  await using deployment = await Deployment.install(await sharedPostgres(18));
  await withServer((url, posted) =>
    withFolder(async (folder) => {
      const flags = await writePlugin(folder, "my_sink", MY_SINK);
      await using relay = await deployment.startRelay(flags);
      const missing = await deployment.refusalOf("orders", { sink_type: "my_sink", topic: "t" }).catch(() =>
        null
      );
      assert.equal(missing?.code, "TD001", "there is no outbox yet");
      await deployment.addPipeline("orders", { sink_type: "my_sink", url, topic: "orders.{op}" });
      const { detail } = await deployment.refusalOf("orders", { sink_type: "my_sink", topic: "t" });
      assert.match(detail, /^url: is required: Where to post$/);
      for (let n = 0; n < 20; n++) await deployment.publish("orders", { n }, `key-${n}`);
      await deployment.reaches("orders", "idle");
      const expected = Array.from(
        { length: 20 },
        (_, n) => ({ topic: "orders.insert", key: `key-${n}`, value: `{"n": ${n}}` }),
      );
      assert.deepEqual(posted, expected);
      assert.equal(await relay.stop(), 0);
    })
  );
});

Deno.test("a plugin's file is found beside its user, listed, inspected and tested", async () => {
  await buildBinary();
  await withServer((url) =>
    withFolder(async (folder) => {
      await writePlugin(folder, "my_sink", MY_SINK);
      const run = async (...args: readonly string[]) => {
        const { code, stdout, stderr } = await runCommand(BINARY, args, { cwd: folder });
        const text = new TextDecoder().decode(stdout);
        assert.equal(code, 0, text + stderr);
        return text;
      };
      const flags = ["--plugin", "my_sink=file:./my_sink.js"];
      assert.match(
        await run("plugin", "list", ...flags),
        /^sink +my_sink +Posts each record to a URL \(.*my_sink\.js\)$/m,
      );
      const shown = JSON.parse(await run("plugin", "inspect", "my_sink", "--json", ...flags));
      assert.deepEqual([shown.name, shown.kind, shown.contract], ["my_sink", "sink", 1]);
      assert.deepEqual(shown.permissions, { net: ["{url}"] });
      assert.deepEqual(shown.fields[0], {
        name: "url",
        type: "string",
        default: null,
        required: true,
        doc: "Where to post",
      });
      const tested = await run("plugin", "test", "./my_sink.js", "--set", JSON.stringify({ url }));
      assert.match(tested, /^[1-9]\d* passed, 0 failed$/m);
    })
  );
});

/** With the Kafka sink's permissions; says when it opens what it got of what it was not given. */
const TRIES_ALL = `
import net from "node:net";
import { once } from "node:events";
import { defineSink } from "@pg-tide/sdk";
const tries = {
  granted: async ({ granted }) => (await fetch("http://" + granted)).text(),
  other_host: async ({ other }) => (await fetch("http://" + other)).text(),
  other_port: async ({ other }) => {
    const [host, port] = other.split(":");
    const socket = net.connect(Number(port), host);
    await once(socket, "connect");
    return "connected";
  },
  file: async () => (await fetch("file:///etc/hostname")).text(),
  deno_file: async () => Deno.readTextFileSync("/etc/hostname"),
  variable: async () => process.env.PATH ?? Promise.reject(new Error("no such variable")),
  deno_variable: async () => Deno.env.get("PATH"),
  program: async () => new Deno.Command("true").outputSync().code,
};
defineSink({
  name: "tries_all", summary: "", permissions: { net: ["{brokers}"], discoversHosts: true },
  fields: [{ name: "brokers", type: "string", doc: "" }, { name: "other", type: "string", doc: "" }],
  discover: async () => [],
  open: async ({ fields }) => {
    const places = { granted: fields.brokers, other: fields.other };
    const got = {};
    for (const [name, attempt] of Object.entries(tries)) {
      got[name] = await attempt(places).then((value) => "got " + value, (error) => "refused: " + error);
    }
    throw new Error("tried " + JSON.stringify(got));
  },
});
`;

Deno.test("with the Kafka sink's permissions a plugin reaches its brokers, and nothing else", async () => {
  const kafka = JSON.parse((await pgTide(["plugin", "inspect", "kafka", "--json"])).out);
  assert.deepEqual(kafka.permissions, {
    // Without its fields the others are no hosts.
    net: ["{brokers}", "{sasl_oauth_token_url}", "{sasl_aws_sts_url}"],
    guardedNet: ["{sasl_aws_credentials_url}"],
    discoversHosts: true,
    assets: ["@platformatic/wasm-utils/dist/native.wasm"],
  });
  await withTwoServers((granted, other) =>
    withFolder(async (folder) => {
      await writePlugin(folder, "tries_all", TRIES_ALL);
      const set = JSON.stringify({ brokers: granted, other });
      const { code, out, err } = await pgTide(["plugin", "test", `${folder}/tries_all.js`, "--set", set]);
      assert.equal(code, 1, err);
      const told = /tried (\{.*\})/.exec(out)?.[1];
      assert.ok(told !== undefined, out);
      const { granted: reached, ...others } = JSON.parse(told);
      assert.equal(reached, "got hello");
      assert.equal(Object.keys(others).length, 7);
      for (const [name, outcome] of Object.entries(others)) assert.match(String(outcome), /^refused: /, name);
    })
  );
});

async function withTwoServers(test: (granted: string, other: string) => Promise<void>): Promise<void> {
  const serve = () =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("hello"));
  const servers = [serve(), serve()] as const;
  try {
    const [granted, other] = servers.map(({ addr }) => `127.0.0.1:${addr.port}`);
    await test(granted!, other!);
  } finally {
    await Promise.all(servers.map((server) => server.shutdown()));
  }
}
