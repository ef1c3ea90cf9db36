import { type EncodedPage, type MessagePage, misconfigured, textAt, unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { LIMITS } from "../../../src/base/limits.ts";
import type { Encoded } from "../../../src/encode/mod.ts";
import { nativeRecords } from "../../../src/encode/native.ts";
import { PageEncoder } from "../../../src/encode/page_encoder.ts";
import type { DeliveryState } from "../../../src/record/state.ts";
import { pageOf, recordsOf } from "../../support/pages.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

function messagesOf(ids: readonly number[]): MessagePage {
  const page = pageOf(ids);
  const { topics, topic, key, headers } = recordsOf(page);
  return { ...page, topics, topic, key, headers };
}

const encodedOf = (page: MessagePage): EncodedPage => ({
  page: nativeRecords(page),
  messageIndex: Uint32Array.from({ length: page.count }, (_, i) => i),
  rejected: [],
});

/** An encoder over a format that gives these answers, the last one for ever. */
function setup(answers: readonly ((page: MessagePage) => Encoded)[]) {
  const clock = new VirtualClock();
  const states: DeliveryState[] = [];
  const given: MessagePage[] = [];
  const encode = (page: MessagePage) => {
    given.push(page);
    return Promise.resolve(answers[Math.min(given.length, answers.length) - 1]!(page));
  };
  const backoff = { initialMs: 100, maxMs: 1_000 };
  const encoder = new PageEncoder({ encode }, clock, backoff, (state) => states.push(state));
  return { clock, states, given, encoder };
}

const good = (page: MessagePage): Encoded => ({ encoded: encodedOf(page) });
const away = (): Encoded => ({ fault: unavailable("REGISTRY_UNREACHABLE", "the registry is away") });
const wrong = (): Encoded => ({ fault: misconfigured("SCHEMA_MISSING", "no schema", "Register it.") });

Deno.test("PageEncoder gives the format a copy and keeps the original", async () => {
  const { encoder, given, states } = setup([good]);
  const page = messagesOf([1, 2]);
  const encoded = await encoder.encode(page);
  assert.equal(textAt(encoded!.page.value, 1), `{"id":2}`);
  assert.notEqual(given[0]!.payload.bytes.buffer, page.payload.bytes.buffer);
  assert.deepEqual(states, []);
});

Deno.test("PageEncoder asks again after an outage, with growing pauses, and says how it stands", async () => {
  const { encoder, clock, given, states } = setup([away, away, away, good]);
  const page = messagesOf([1]);
  assert.ok(await clock.run(encoder.encode(page)) !== null);
  assert.equal(given.length, 4);
  assert.ok(clock.monotonic() >= 10 + 20 + 40 && clock.monotonic() <= 100 + 200 + 400);
  assert.deepEqual(states.map(({ state }) => state), ["waiting", "waiting", "waiting", "running"]);
});

Deno.test("PageEncoder waits longer where a person must act, unless it is poked", async () => {
  const patient = setup([wrong, good]);
  await patient.clock.run(patient.encoder.encode(messagesOf([1])));
  assert.ok(patient.clock.monotonic() >= LIMITS.blockedRetryMs);
  assert.deepEqual(patient.states[0], {
    state: "blocked",
    code: "SCHEMA_MISSING",
    reason: "no schema",
    advice: "Register it.",
  });

  const poked = setup([wrong, good]);
  const encoding = poked.encoder.encode(messagesOf([1]));
  await poked.clock.run(poked.clock.sleep(50));
  poked.encoder.poke();
  await poked.clock.run(encoding);
  assert.ok(poked.clock.monotonic() < LIMITS.blockedRetryMs);
});

Deno.test("PageEncoder gives up when it is closed", async () => {
  const { encoder, clock, given } = setup([away]);
  const encoding = encoder.encode(messagesOf([1]));
  await clock.run(clock.sleep(500));
  encoder.close();
  assert.equal(await clock.run(encoding), null);
  const asked = given.length;
  assert.equal(await encoder.encode(messagesOf([1])), null);
  assert.equal(given.length, asked);
});

Deno.test("PageEncoder gives the records their messages' partitions, unless the format has said where", async () => {
  const page = { ...messagesOf([1, 2, 3]), partition: Int32Array.of(5, -1, 7) };
  const records = recordsOf(pageOf([1, 1, 3, 3]));
  const made = (partition?: Int32Array<ArrayBuffer>): Encoded => ({
    encoded: {
      page: { ...records, ...(partition && { partition }) },
      messageIndex: Uint32Array.of(0, 0, 2, 2),
      rejected: [],
    },
  });
  const partitionOf = async (format: () => Encoded, given: MessagePage) =>
    (await setup([format]).encoder.encode(given))!.page.partition;
  assert.deepEqual(await partitionOf(() => made(), page), Int32Array.of(5, 5, 7, 7));
  assert.deepEqual(
    await partitionOf(() => made(Int32Array.of(5, -1, 7, 0)), page),
    Int32Array.of(5, -1, 7, 0),
  );
  assert.equal(await partitionOf(() => made(), messagesOf([1, 2, 3])), undefined);
  assert.deepEqual(nativeRecords(page).partition, page.partition);
});
