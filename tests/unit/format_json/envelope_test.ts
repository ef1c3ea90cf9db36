import assert from "node:assert/strict";
import fc from "fast-check";
import { columnOf, encodeHeaders, type MessagePage, OPS, textAt } from "../../../plugins/sdk/mod.ts";
import { encodeEnvelopes } from "../../../plugins/format_json/envelope.ts";

interface Message {
  readonly op: number;
  readonly payload: string;
  readonly previous: string | null;
  readonly dedupKey: string | null;
  readonly header: string | null;
}

function pageOf(messages: readonly Message[]): MessagePage {
  const count = messages.length;
  return {
    count,
    ids: Float64Array.from(messages, (_, i) => i + 1),
    createdMs: new Float64Array(count).fill(1_700_000_000_123),
    ops: Uint8Array.from(messages, ({ op }) => op),
    topics: ["t"],
    topic: new Uint16Array(count),
    key: columnOf(messages.map(() => "k")),
    headers: columnOf(
      messages.map(({ header }) =>
        encodeHeaders([["pg_tide_op", "x"], ...(header === null ? [] : [["own", header] as const])])
      ),
    ),
    payload: columnOf(messages.map(({ payload }) => payload)),
    previous: columnOf(messages.map(({ previous }) => previous)),
    dedupKey: columnOf(messages.map(({ dedupKey }) => dedupKey)),
  };
}

Deno.test("encodeEnvelopes() puts a payload into the documented object, byte for byte", () => {
  const message = {
    op: 1,
    payload: '{"n": 12345678901234567890.10}',
    previous: "[1e400]",
    dedupKey: "d",
    header: "ü",
  };
  const { page, messageIndex, rejected } = encodeEnvelopes(pageOf([message]), "orders");
  assert.equal(
    textAt(page.value, 0),
    '{"outbox":"orders","id":1,"op":"update","created_at":"2023-11-14T22:13:20.123Z","dedup_key":"d",' +
      '"headers":{"own":"ü"},"payload":{"n": 12345678901234567890.10},"previous":[1e400]}',
  );
  assert.deepEqual([...messageIndex], [0]);
  assert.deepEqual(rejected, []);
});

Deno.test("encodeEnvelopes() gives JSON that holds what it was given", () => {
  const text = fc.string({ unit: "grapheme" });
  const json = fc.jsonValue().map((value) => JSON.stringify(value));
  const message = fc.record({
    op: fc.nat(OPS.length - 1),
    payload: json,
    previous: fc.option(json),
    dedupKey: fc.option(text),
    header: fc.option(text),
  });
  fc.assert(fc.property(fc.array(message, { maxLength: 5 }), text, (messages, outbox) => {
    const { page } = encodeEnvelopes(pageOf(messages), outbox);
    assert.equal(page.count, messages.length);
    messages.forEach(({ op, payload, previous, dedupKey, header }, i) => {
      assert.deepEqual(JSON.parse(textAt(page.value, i)!), {
        outbox,
        id: i + 1,
        op: OPS[op],
        created_at: "2023-11-14T22:13:20.123Z",
        dedup_key: dedupKey,
        ...(header === null ? {} : { headers: { own: header } }),
        payload: JSON.parse(payload),
        previous: previous === null ? null : JSON.parse(previous),
      });
    });
  }));
});
