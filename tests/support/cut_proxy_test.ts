import { strict as assert } from "node:assert";
import { CutProxy } from "./cut_proxy.ts";
import { waitUntil } from "./wait.ts";

/** A server that answers every byte with itself. */
class Echo implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving = this.#serve();

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const open: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      open.push(connection.readable.pipeTo(connection.writable).catch(() => {}));
    }
    await Promise.all(open);
  }
}

const connect = (proxy: CutProxy) => Deno.connect({ hostname: "127.0.0.1", port: proxy.port });

async function ask(connection: Deno.Conn, text: string): Promise<string> {
  await connection.write(new TextEncoder().encode(text));
  return await read(connection);
}

async function read(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(100);
  const count = await connection.read(buffer);
  return count === null ? "end" : new TextDecoder().decode(buffer.subarray(0, count));
}

Deno.test("CutProxy forwards bytes both ways and ends what the other side ends", async () => {
  await using echo = new Echo();
  await using proxy = await CutProxy.to(echo.port);
  using connection = await connect(proxy);
  assert.equal(await ask(connection, "one"), "one");
  assert.equal(proxy.connections, 1);
  await connection.closeWrite();
  assert.equal(await read(connection), "end");
  await waitUntil(() => proxy.connections === 0, { what: "the connection to be forgotten" });
});

Deno.test("CutProxy.cut() resets open connections and lets new ones through", async () => {
  await using echo = new Echo();
  await using proxy = await CutProxy.to(echo.port);
  using first = await connect(proxy);
  assert.equal(await ask(first, "one"), "one");
  proxy.cut();
  await assert.rejects(read(first), Deno.errors.ConnectionReset);
  using second = await connect(proxy);
  assert.equal(await ask(second, "two"), "two");
});

Deno.test("CutProxy refuses old and new connections until it forwards again", async () => {
  await using echo = new Echo();
  await using proxy = await CutProxy.to(echo.port);
  using old = await connect(proxy);
  assert.equal(await ask(old, "one"), "one");
  proxy.mode = "refuse";
  await assert.rejects(read(old), Deno.errors.ConnectionReset);
  const attempt = async () => {
    using refused = await connect(proxy);
    await read(refused);
  };
  await assert.rejects(attempt, Deno.errors.ConnectionReset);
  proxy.mode = "forward";
  using fresh = await connect(proxy);
  assert.equal(await ask(fresh, "three"), "three");
});

Deno.test("CutProxy holds bytes back while it hangs and passes them on afterwards", async () => {
  await using echo = new Echo();
  await using proxy = await CutProxy.to(echo.port);
  using old = await connect(proxy);
  assert.equal(await ask(old, "one"), "one");
  proxy.mode = "hang";
  using fresh = await connect(proxy);
  const answers: string[] = [];
  const waiting = Promise.all(
    [old, fresh].map((connection) => ask(connection, "two").then((text) => answers.push(text))),
  );
  // A third connection through a second proxy answers: bytes do flow on this machine, only not through the first.
  await using other = await CutProxy.to(echo.port);
  using control = await connect(other);
  assert.equal(await ask(control, "control"), "control");
  assert.deepEqual(answers, []);
  proxy.mode = "forward";
  await waiting;
  assert.deepEqual(answers, ["two", "two"]);
});

Deno.test("CutProxy.freeze() passes nothing on any more on open connections, and lets new ones through", async () => {
  await using echo = new Echo();
  await using proxy = await CutProxy.to(echo.port);
  using first = await connect(proxy);
  assert.equal(await ask(first, "one"), "one");
  proxy.freeze();
  await first.write(new TextEncoder().encode("lost"));
  const silence = Symbol();
  const timer = new Promise((resolve) => setTimeout(resolve, 200, silence));
  const answer = read(first).catch(() => "reset");
  assert.equal(await Promise.race([answer, timer]), silence);
  using second = await connect(proxy);
  assert.equal(await ask(second, "two"), "two");
  proxy.mode = "hang";
  proxy.mode = "forward";
  assert.equal(await ask(second, "three"), "three");
  assert.equal(await Promise.race([answer, Promise.resolve(silence)]), silence);
});

Deno.test("CutProxy passes on what was sent by a client that is gone since", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using proxy = await CutProxy.to(listener.addr.port);
  const received = (async () => {
    using connection = await listener.accept();
    const buffer = new Uint8Array(4_096);
    let sum = 0;
    for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) sum += n;
    return sum;
  })();
  const size = 1_000_000;
  {
    using connection = await connect(proxy);
    await waitUntil(() => proxy.connections === 1, { what: "the connection" });
    proxy.mode = "hang";
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) at += await connection.write(bytes.subarray(at));
  }
  proxy.mode = "forward";
  assert.equal(await received, size);
});
