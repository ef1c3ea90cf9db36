import assert from "node:assert/strict";
import { FormatHost, SinkHost } from "../../src/host/mod.ts";
import { dataModule } from "../../src/host/sdk_shim.ts";
import {
  delivering,
  FAST_CLOCK,
  knownPlugin,
  messages,
  openedSink,
  openSink,
  reasonOf,
  records,
  sessionOptions,
  sinkSource,
} from "./plugin_workshop.ts";

const GOOD = delivering("good", "return sdk.delivered(page.count);");

/** What a sink's deliver does, and how the relay must call it. */
const BAD_DELIVERIES: Readonly<Record<string, readonly [body: string, reason: RegExp]>> = {
  spins: ["for (;;) {}", /PLUGIN_HUNG: Plugin "spins" gave no sign of life for 10 s/],
  throws: ["throw new RangeError('no luck')", /PLUGIN_ERROR: The plugin threw RangeError: no luck/],
  answers_nothing: ["return undefined;", /PLUGIN_ERROR: .*did not give an answer/],
  answers_a_function: [
    "return { ...sdk.delivered(page.count), failed: [() => {}] };",
    /PLUGIN_FAILED: Plugin "answers_a_function" failed: .*could not be cloned/,
  ],
  answers_too_little: [
    "return sdk.delivered(page.count - 1);",
    /PLUGIN_PROTOCOL: .*answer is not whole: 1 of 3 records have no outcome/,
  ],
  answers_too_much: ["return sdk.delivered(page.count + 1);", /PLUGIN_PROTOCOL: .*answer\.delivered/],
  answers_huge: [
    "return { delivered: new Uint32Array(0), failed: [], rejected: new Array(1e6).fill({ index: 0 }) };",
    /PLUGIN_PROTOCOL: .*answer\.rejected is not a list of at most 3/,
  ],
  answers_shared_memory: [
    "return { ...sdk.delivered(3), delivered: new Uint32Array(new SharedArrayBuffer(8)) };",
    /PLUGIN_PROTOCOL: .*answer\.delivered|PLUGIN_FAILED/,
  ],
  tells_too_much: [
    `progress(page.count + 1); await new Promise(() => {});`,
    /PLUGIN_PROTOCOL: .*progress\.delivered/,
  ],
  tells_less_than_before: [
    `for (const delivered of [2, 1]) postMessage({ t: "progress", n: 3, delivered }); await new Promise(() => {});`,
    /PLUGIN_PROTOCOL: .*progress\.delivered/,
  ],
  tells_of_nothing: [
    `postMessage({ t: "progress", n: 99, delivered: 1 }); await new Promise(() => {});`,
    /PLUGIN_PROTOCOL: .*sent "progress" for request 99/,
  ],
  answers_otherwise: [
    `postMessage({ t: "progress", n: 3, delivered: 2 });
     return { ...sdk.delivered(1), fault: sdk.unavailable("X", "x") };`,
    /PLUGIN_PROTOCOL: .*what was told before: record 1 was delivered/,
  ],
  answers_twice: [
    `for (const n of [1, 2, 3, 4]) postMessage({ t: "answer", n, answer: sdk.delivered(page.count) });
     await new Promise(() => {});`,
    /PLUGIN_PROTOCOL: .*nobody waits for/,
  ],
  answers_another: [
    `postMessage({ t: "opened", n: 2, opened: {} }); await new Promise(() => {});`,
    /PLUGIN_PROTOCOL: .*sent "opened"/,
  ],
  sends_text: [
    `postMessage("x".repeat(1e7)); await new Promise(() => {});`,
    /PLUGIN_PROTOCOL: .*not an object/,
  ],
  exits: ["process.exit(0); await new Promise(() => {});", /PLUGIN_FAILED: .*process\.exit\(0\)/],
  fails_aside: [
    "setTimeout(() => { throw new Error('aside'); }); await new Promise(() => {});",
    /PLUGIN_FAILED: .*aside/,
  ],
  rejects_aside: [
    "Promise.reject(new Error('lost')); await new Promise(() => {});",
    /PLUGIN_FAILED: .*lost/,
  ],
};

Deno.test("SinkHost.deliver() names what a bad sink did, starts it again, and leaves others alone", async (t) => {
  const good = await openedSink("good", GOOD);
  for (const [name, [body, reason]] of Object.entries(BAD_DELIVERIES)) {
    await t.step(name, async () => {
      const sink = await openedSink(name, delivering(name, body), { clock: FAST_CLOCK });
      const answer = await sink.deliver(records(3), 1);
      assert.match(reasonOf(answer), reason);
      assert.equal(answer.delivered.length, 0);
      assert.equal(await sink.recover(answer.fault!), null, "the sink is open again");
      await sink.close();
      assert.deepEqual([...(await good.deliver(records(2), 1)).delivered], [0, 2], "another plugin goes on");
    });
  }
  await good.close();
});

Deno.test("SinkHost.deliver() gives up a sink that never answers", async () => {
  const open =
    `open: async () => ({ opened: { answerWithinMs: 2000 }, deliver: () => new Promise(() => {}), close: async () => {} })`;
  const sink = await openedSink("mute", sinkSource("mute", open), { clock: FAST_CLOCK });
  const [first, second] = await Promise.all([sink.deliver(records(1), 1), sink.deliver(records(1), 1)]);
  assert.match(reasonOf(first), /PLUGIN_HUNG: Plugin "mute" did not answer "deliver" within 2 s/);
  assert.match(reasonOf(second), /PLUGIN_HUNG/);
  await sink.close();
});

Deno.test("SinkHost.deliver() waits for a sink that is busy without a pause", async () => {
  const body = "const end = Date.now() + 2500; while (Date.now() < end); return sdk.delivered(page.count);";
  const sink = await openedSink("busy", delivering("busy", body));
  assert.equal((await sink.deliver(records(1), 1)).fault, undefined);
  await sink.close();
});

Deno.test("SinkHost.deliver() refuses later pages of a generation that ended, within the Worker", async () => {
  const body = `if (page.ids[0] === 1 && generation === 1) throw new Error("no");
    return sdk.delivered(page.count);`;
  const sink = await openedSink("ends", delivering("ends", body));
  const answers = await Promise.all([sink.deliver(records(1), 1), sink.deliver(records(2), 1)]);
  assert.match(reasonOf(answers[0]!), /PLUGIN_ERROR/);
  assert.match(reasonOf(answers[1]!), /PLUGIN_ERROR/);
  assert.equal((await sink.deliver(records(1), 2)).fault, undefined);
  await sink.close();
});

Deno.test("SinkHost.open() says why a sink cannot be opened", async (t) => {
  const cases: Readonly<Record<string, readonly [open: string, code: string, reason: RegExp]>> = {
    throws: [`open: async () => { throw new Error("x"); }`, "PLUGIN_ERROR", /threw Error: x/],
    faults: [
      `open: async () => { throw new sdk.FaultError(sdk.misconfigured("wrong password!", "bad\\u0007", "mend it")); }`,
      "WRONG_PASSWORD_",
      /^bad $/,
    ],
    asks_for_too_much: [
      `open: async () => ({ opened: { pagesInFlight: 1e9 }, deliver() {}, close() {} })`,
      "PLUGIN_PROTOCOL",
      /opened\.pagesInFlight/,
    ],
    never_opens: [`open: () => new Promise(() => {})`, "PLUGIN_HUNG", /did not answer "open" within 120 s/],
    spins: [`open: () => { for (;;) {} }`, "PLUGIN_HUNG", /gave no sign of life/],
  };
  for (const [name, [open, code, reason]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const opened = await openSink(name, sinkSource(name, open), { clock: FAST_CLOCK });
      assert.ok("fault" in opened && opened.fault.kind !== "hosts");
      assert.equal(opened.fault.code, code);
      assert.match(opened.fault.reason, reason);
    });
  }
});

Deno.test("SinkHost.open() gives up a Worker that spins before its hello, and one that vanishes", async () => {
  const plugin = await knownPlugin("good", GOOD);
  const spins = { ...plugin, entry: { url: dataModule("for (;;) {}") } };
  const early = await SinkHost.open(sessionOptions(spins, { clock: FAST_CLOCK }));
  assert.ok("fault" in early && early.fault.kind === "unavailable");
  assert.match(early.fault.reason, /Plugin "good" did not start within 30 s/);

  const hello = JSON.stringify({ t: "hello", description: plugin.description });
  const vanishes = { ...plugin, entry: { url: dataModule(`postMessage(${hello}); close();`) } };
  const late = await SinkHost.open(sessionOptions(vanishes, { clock: FAST_CLOCK }));
  assert.ok("fault" in late && late.fault.kind === "unavailable");
  assert.match(late.fault.reason, /gave no sign of life for 10 s: it hangs, or has exited/);
});

Deno.test("SinkHost.open() refuses a plugin that describes itself otherwise when it has a grant", async () => {
  const plugin = await knownPlugin("good", GOOD);
  const other = { ...plugin.description, summary: "something else" };
  const opened = await SinkHost.open(sessionOptions({ ...plugin, description: other }));
  assert.ok("fault" in opened && opened.fault.kind === "unavailable");
  assert.match(opened.fault.reason, /describes itself in another way/);
});

Deno.test("SinkHost.close() ends a sink that does not close", async () => {
  const open = `open: async () => ({ deliver() {}, close: () => new Promise(() => {}) })`;
  const sink = await openedSink("stays", sinkSource("stays", open), { clock: FAST_CLOCK });
  await sink.close();
  assert.match(reasonOf(await sink.deliver(records(1), 1)), /PLUGIN_NOT_RUNNING/);
});

const BAD_ENCODINGS: Readonly<Record<string, readonly [body: string, reason: RegExp]>> = {
  wrong_ids: ["encoded.page.ids[0] = 99;", /encoded\.page\.ids\[0\] is not the id of its message/],
  wrong_count: ["encoded.page.count = 2;", /of length 2/],
  wrong_owner: ["encoded.messageIndex[2] = 7;", /encoded\.messageIndex/],
  falling_owner: ["encoded.messageIndex[2] = 0;", /encoded\.messageIndex/],
  range_outside: ["encoded.page.value.ranges[1] = 1e6;", /encoded\.page\.value\.ranges/],
  range_backwards: [
    "encoded.page.key.ranges[0] = 3; encoded.page.key.ranges[1] = 1;",
    /encoded\.page\.key\.ranges/,
  ],
  broken_headers: [
    "encoded.page.headers.bytes[0] = 0x7e;",
    /encoded\.page\.headers\[0\] is not a header list/,
  ],
  null_headers: [
    "encoded.page.headers.ranges.fill(sdk.NULL_RANGE);",
    /encoded\.page\.headers\[0\] is not a header list/,
  ],
  unknown_topic: ["encoded.page.topic[1] = 5;", /encoded\.page\.topic/],
  rejected_and_sent: [
    `encoded.rejected.push({ index: 1, code: "X", reason: "" });`,
    /encoded\.rejected is not without message 1/,
  ],
  no_number: ["encoded.page.createdMs[0] = NaN;", /encoded\.page\.createdMs/],
};

Deno.test("FormatHost.encode() refuses inconsistent pages, and starts the format again", async (t) => {
  for (const [name, [body, reason]] of Object.entries(BAD_ENCODINGS)) {
    await t.step(name, async () => {
      const source = `import * as sdk from "@pg-tide/sdk";
        sdk.defineFormat({ name: "${name}", summary: "", fields: [], permissions: {}, open: () => ({ encode(page) {
          const { count, ids, createdMs, topics, topic, key, headers, payload } = page;
          const encoded = {
            page: { count, ids, createdMs, topics, topic, key, value: payload, headers },
            messageIndex: Uint32Array.from({ length: count }, (_, i) => i),
            rejected: [],
          };
          if (count === 3) { ${body} }
          return encoded;
        } }) });`;
      const opened = await FormatHost.open(sessionOptions(await knownPlugin(name, source)));
      assert.ok("format" in opened);
      const bad = await opened.format.encode(messages(3));
      assert.ok("fault" in bad && bad.fault.kind === "unavailable", JSON.stringify(bad));
      assert.equal(bad.fault.code, "PLUGIN_PROTOCOL");
      assert.match(bad.fault.reason, reason);
      const good = await opened.format.encode(messages(2));
      assert.ok("encoded" in good);
      assert.equal(good.encoded.page.count, 2);
      await opened.format.close();
    });
  }
});

Deno.test("SinkHost.deliver() passes on how far a page has come, also when the plugin then dies", async () => {
  const body = "progress(1); progress(2); await new Promise((r) => setTimeout(r, 50)); process.exit(0);";
  const sink = await openedSink("falling", delivering("falling", body), { clock: FAST_CLOCK });
  const told: number[] = [];
  const answer = await sink.deliver(records(3), 1, (count) => told.push(count));
  assert.deepEqual(told, [2], "the newest count only");
  assert.equal(answer.delivered.length, 0);
  assert.match(reasonOf(answer), /PLUGIN_FAILED/);
  await sink.close();
});
