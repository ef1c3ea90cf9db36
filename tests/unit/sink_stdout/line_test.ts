import assert from "node:assert/strict";
import { columnOf, encodeHeaders } from "../../../plugins/sdk/mod.ts";
import { lineOf } from "../../../plugins/sink_stdout/line.ts";

interface Shape {
  readonly key?: string | null;
  readonly partition?: number | undefined;
}

function line(value: string | Uint8Array | null, { key = "k", partition }: Shape = {}): string {
  return lineOf({
    count: 1,
    ids: Float64Array.of(7),
    createdMs: Float64Array.of(1_700_000_000_123.4),
    topics: ["t"],
    topic: Uint16Array.of(0),
    ...(partition === undefined ? {} : { partition: Int32Array.of(partition) }),
    key: columnOf([key]),
    value: columnOf([value]),
    headers: columnOf([encodeHeaders([["a", "ü"], ["b", null]])]),
  }, 0);
}

Deno.test("lineOf() writes a record as one line of JSON, with the value digit for digit", () => {
  assert.equal(
    line('{"n": 12345678901234567890, "p": 10.00}'),
    '{"id":7,"topic":"t","key":"k","headers":{"a":"ü","b":null},"timestamp":"2023-11-14T22:13:20.123Z",' +
      '"value":{"n": 12345678901234567890, "p": 10.00}}',
  );
});

Deno.test("lineOf() stays one line of JSON whatever the value is", () => {
  const member = (value: string | Uint8Array | null) => {
    const text = line(value, { key: null });
    assert.ok(!text.includes("\n"));
    const { id: _id, topic: _topic, key: _key, headers: _headers, timestamp: _time, ...rest } = JSON.parse(
      text,
    );
    return rest;
  };
  assert.deepEqual(member(null), { value: null });
  assert.deepEqual(member("null"), { value: null });
  assert.deepEqual(member('{\n"a":1}'), { value_text: '{\n"a":1}' });
  assert.deepEqual(member('},"x":1,{'), { value_text: '},"x":1,{' });
  assert.deepEqual(member(""), { value_text: "" });
  assert.deepEqual(member(Uint8Array.of(0xff, 0, 1)), { value_base64: "/wAB" });
});

Deno.test("lineOf() shows the partition of a record that names one", () => {
  assert.deepEqual([undefined, -1, 0, 7].map((n) => JSON.parse(line("1", { partition: n })).partition), [
    undefined,
    undefined,
    0,
    7,
  ]);
});
