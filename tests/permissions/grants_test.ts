import assert from "node:assert/strict";
import type { Fault } from "../../plugins/sdk/mod.ts";
import { type KnownPlugin, SinkHost } from "../../src/host/mod.ts";
import { dataModule } from "../../src/host/sdk_shim.ts";
import {
  delivering,
  knownPlugin,
  openedSink,
  openSink,
  reasonOf,
  records,
  sessionOptions,
  sinkSource,
} from "./plugin_workshop.ts";

const URL_FIELD = `{ name: "url", type: "string", doc: "Where to" }`;
const DESCRIPTION = `fields: [${URL_FIELD}], permissions: { net: ["{url}"] }`;

/** Run a test with two servers on this machine that answer every HTTP request. */
async function withServers(test: (first: number, second: number) => Promise<void>): Promise<void> {
  const serve = () =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("hello"));
  const servers = [serve(), serve()] as const;
  try {
    await test(servers[0].addr.port, servers[1].addr.port);
  } finally {
    await Promise.all(servers.map((server) => server.shutdown()));
  }
}

/** A sink that visits a host in this way for each page, and rejects its record with what it got. */
function visitor(name: string, visit: string): string {
  return `import net from "node:net"; import http from "node:http"; import tls from "node:tls"; import dns from "node:dns/promises";
    import { once } from "node:events";
    import * as sdk from "@pg-tide/sdk";
    sdk.defineSink({ name: "${name}", summary: "", ${DESCRIPTION}, open: async ({ fields }) => ({
      deliver: async (page) => {
        const reject = (code, reason) => ({ ...sdk.delivered(0), rejected: [{ index: 0, code, reason: String(reason) }] });
        const port = Number(new TextDecoder().decode(sdk.valueAt(page.value, 0)));
        const visit = async () => { ${visit} };
        return await visit().then((got) => reject("GOT", got), (error) => reject("REFUSED", error));
      },
      close: async () => {},
    }) });`;
}

const VISITS: Readonly<Record<string, string>> = {
  fetch: "return await (await fetch(`http://127.0.0.1:${port}/`)).text();",
  http: `const [response] = await once(http.get({ host: "127.0.0.1", port, agent: false }), "response");
    return String((await once(response, "data"))[0]);`,
  net: `const socket = net.connect(port, "127.0.0.1"); await once(socket, "connect");
    socket.write("GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n");
    const [data] = await once(socket, "data"); socket.destroy(); return String(data).includes("hello") ? "hello" : data;`,
};

Deno.test("a sink reaches the host that its configuration names, and no other", async (t) => {
  await withServers(async (granted, other) => {
    for (const [name, visit] of Object.entries(VISITS)) {
      await t.step(name, async () => {
        const sink = await openedSink(name, visitor(name, visit), {
          fields: { url: `http://127.0.0.1:${granted}/x` },
        });
        assert.deepEqual(await outcome(sink, granted), ["GOT", "hello"]);
        const [code, reason] = await outcome(sink, other);
        assert.equal(code, "REFUSED");
        assert.match(reason!, /net access|NotCapable|permission/i);
        await sink.close();
      });
    }
  });
});

Deno.test("a sink speaks TLS to the host that its configuration names", async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  const served = answerOnce(server, "this is not TLS");
  const visit = `await once(tls.connect(port, "127.0.0.1"), "secureConnect");`;
  const sink = await openedSink("tls", visitor("tls", visit), { fields: { url: `127.0.0.1:${port}` } });
  const [code, reason] = await outcome(sink, port);
  assert.equal(code, "REFUSED");
  assert.doesNotMatch(reason!, /NotCapable|net access|undefined/);
  await sink.close();
  await served;
});

Deno.test("a sink with a host cannot read files, variables or another host", async (t) => {
  const attempts = {
    file: `return await (await fetch("file:///etc/passwd")).text();`,
    listen:
      `return await new Promise((resolve, reject) => net.createServer().on("error", reject).listen(0, resolve));`,
    environment: `if (process.env.PATH === undefined) throw new Error("nothing"); return process.env.PATH;`,
    runtime: `return Deno.readTextFileSync("/etc/passwd");`,
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    await t.step(name, async () => {
      const sink = await openedSink(name, visitor(name, attempt), { fields: { url: "127.0.0.1:9" } });
      const answer = await sink.deliver(page(9), 1);
      assert.equal(answer.rejected[0]?.code === "GOT", false, JSON.stringify(answer.rejected));
      assert.ok(answer.rejected[0]?.code === "REFUSED" || /PLUGIN_FAILED/.test(reasonOf(answer)));
      await sink.close();
    });
  }
});

Deno.test("an external sink gets a host by a fault only if the operator allows it", async () => {
  await withServers(async (first, second) => {
    const source = sinkSource(
      "wants",
      `open: async () => ({ close: async () => {}, deliver: async (page, generation) => {
        try { await fetch("http://127.0.0.1:${second}/").then((r) => r.text()); return sdk.delivered(page.count); }
        catch { return sdk.faulted({ kind: "hosts", hosts: ["127.0.0.1:${second}"] }); }
      } })`,
      DESCRIPTION,
    );
    const fields = { url: `127.0.0.1:${first}` };
    const sink = await openedSink("wants", source, { fields });
    const answer = await sink.deliver(records(1), 1);
    assert.deepEqual(answer.fault, { kind: "hosts", hosts: [`127.0.0.1:${second}`] });
    const refused = await sink.recover(answer.fault);
    assert.ok(refused?.kind === "configuration");
    assert.match(
      refused.reason,
      new RegExp(`127\\.0\\.0\\.1:${second}.*--plugin-net wants=127\\.0\\.0\\.1:${second}`),
    );
    assert.equal(await sink.recover(refused), null, "it is open again with what it may reach");
    await sink.close();

    const allowed = await openedSink("wants", source, { fields, pluginNet: [`wants=127.0.0.1:${second}`] });
    assert.equal((await allowed.deliver(records(1), 1)).fault, undefined);
    await allowed.close();
  });
});

Deno.test("SinkHost.open() gives a first-party sink the hosts that it discovers, before it opens", async () => {
  await withServers(async (first, second) => {
    const visit = (port: number) => `await fetch("http://127.0.0.1:${port}/").then((r) => r.text());`;
    const source = sinkSource(
      "finds",
      `discover: async () => { ${visit(first)} return ["127.0.0.1:${first}", "127.0.0.1:${second}"]; },
       open: async () => { ${
        visit(second)
      } return { close: async () => {}, deliver: async () => sdk.delivered(1) }; }`,
      `fields: [${URL_FIELD}], permissions: { net: ["{url}"], discoversHosts: true }`,
    );
    const plugin = await knownPlugin("finds", source);
    const fields = { url: `127.0.0.1:${first}` };
    const own: KnownPlugin = { ...plugin, origin: "first_party" };
    const opened = await SinkHost.open(sessionOptions(own, { fields }));
    assert.ok("sink" in opened, JSON.stringify(opened));
    await opened.sink.close();
    const external = faultOf(await SinkHost.open(sessionOptions(plugin, { fields })));
    assert.ok(external.kind === "configuration");
    assert.match(
      external.reason,
      new RegExp(`which the configuration does not name.*127\\.0\\.0\\.1:${second}`),
    );
  });
});

Deno.test("SinkHost.open() names the field and value that give no host", async () => {
  const fault = faultOf(
    await openSink("bad_url", sinkSource("bad_url", "open() {}", DESCRIPTION), {
      fields: { url: "ftp://user:secret@example.com" },
    }),
  );
  assert.ok(fault.kind === "configuration");
  assert.match(
    fault.reason,
    /url is "ftp:\/\/\*\*\*@example\.com", expected a comma-separated list of host:port/,
  );
});

Deno.test("a grant is not widened by a polluted Object.prototype of the relay", async () => {
  const body = `postMessage({ t: "failed", text: Deno.permissions.querySync({ name: "read" }).state + " " +
    Deno.permissions.querySync({ name: "env" }).state });`;
  const plugin = await knownPlugin("good", delivering("good", ""));
  const prototype = Object.prototype as Record<string, unknown>;
  try {
    prototype["read"] = true;
    prototype["env"] = true;
    const opened = await SinkHost.open(sessionOptions({ ...plugin, entry: { url: dataModule(body) } }));
    const fault = faultOf(opened);
    assert.ok(fault.kind === "unavailable");
    assert.match(fault.reason, /failed: (prompt|denied) (prompt|denied)/);
  } finally {
    delete prototype["read"];
    delete prototype["env"];
  }
});

Deno.test("SinkHost.reconfigure() hands on new secrets, unless the grant would change", async () => {
  const open = `open: async (first) => { let config = first; return {
    reconfigure: async (next) => { config = next; }, close: async () => {},
    deliver: async () => ({ ...sdk.delivered(0), rejected: [{ index: 0, code: "IS", reason: config.fields.password }] }) }; }`;
  const description = `fields: [${URL_FIELD}, { name: "password", type: "string", doc: "", secret: true }],
    permissions: { net: ["{url}"] }`;
  const fields = { url: "127.0.0.1:9", password: "old" };
  const sink = await openedSink("changes", sinkSource("changes", open, description), { fields });
  const config = { pipeline: "p", outbox: "orders", fields: { ...fields, password: "new" } };
  assert.deepEqual(await sink.reconfigure(config), { kind: "taken" });
  assert.equal((await sink.deliver(records(1), 1)).rejected[0]!.reason, "new");
  const elsewhere = { ...config, fields: { ...fields, url: "127.0.0.1:10" } };
  assert.deepEqual(await sink.reconfigure(elsewhere), { kind: "restart" });
  await sink.close();
  const fixed = await openedSink("fixed", delivering("fixed", "return sdk.delivered(1);"));
  assert.deepEqual(await fixed.reconfigure({ ...config, fields: {} }), { kind: "restart" });
  await fixed.close();
});

Deno.test("SinkHost.reconfigure() tells a refusal from what takes a new Worker, and keeps what works", async () => {
  const open = `open: async (config) => { return {
    reconfigure: async ({ fields }) => {
      if (fields.password === "bad") throw new sdk.FaultError(sdk.misconfigured("BAD", "it is bad", "Mend it."));
      throw new TypeError("cannot while running");
    }, close: async () => {},
    deliver: async () => ({ ...sdk.delivered(0), rejected: [{ index: 0, code: "IS", reason: config.fields.password }] }) }; }`;
  const description =
    `fields: [{ name: "password", type: "string", doc: "", secret: true }], permissions: {}`;
  const fields = { password: "good" };
  const sink = await openedSink("picky", sinkSource("picky", open, description), { fields });
  const config = { pipeline: "p", outbox: "orders", fields };
  const fault = { kind: "configuration", code: "BAD", reason: "it is bad", advice: "Mend it." };
  assert.deepEqual(await sink.reconfigure({ ...config, fields: { password: "bad" } }), {
    kind: "refused",
    fault,
  });
  assert.deepEqual(await sink.reconfigure({ ...config, fields: { password: "x" } }), { kind: "restart" });
  assert.equal((await sink.deliver(records(1), 1)).rejected[0]!.reason, "good");
  await sink.close();
});

async function answerOnce(server: Deno.Listener, text: string): Promise<void> {
  const connection = await server.accept();
  await connection.write(new TextEncoder().encode(text));
  connection.close();
  server.close();
}

function faultOf(opened: { readonly sink: SinkHost } | { readonly fault: Fault }): Fault {
  assert.ok("fault" in opened);
  return opened.fault;
}

/** Code and reason with which the visitor rejects its record. */
async function outcome(sink: SinkHost, port: number): Promise<[string, string] | []> {
  const [rejected] = (await sink.deliver(page(port), 1)).rejected;
  return rejected === undefined ? [] : [rejected.code, rejected.reason];
}

function page(port: number) {
  const value = new TextEncoder().encode(String(port));
  return { ...records(1), value: { bytes: value, ranges: Uint32Array.of(0, value.length) } };
}
