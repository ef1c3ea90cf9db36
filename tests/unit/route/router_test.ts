import { columnOf, decodeHeaders, textAt, valueAt } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import type { Page } from "../../../src/record/page.ts";
import type { Routed } from "../../../src/route/mod.ts";
import { compileRoute, type RouteOptions } from "../../../src/route/router.ts";
import { KAFKA_TOPIC } from "../../../src/route/topic.ts";

interface Message {
  readonly id?: number;
  readonly op?: number;
  readonly dedupKey?: string | null;
  readonly payload?: string;
  readonly headers?: string | null;
}

function pageOf(messages: readonly Message[]): Page {
  return {
    count: messages.length,
    ids: Float64Array.from(messages, ({ id }, i) => id ?? i + 1),
    createdMs: Float64Array.from(messages, (_, i) => i),
    ops: Uint8Array.from(messages, ({ op }) => op ?? 0),
    dedupKey: columnOf(messages.map(({ dedupKey }) => dedupKey ?? null)),
    payload: columnOf(messages.map(({ payload }) => payload ?? "{}")),
    headers: columnOf(messages.map(({ headers }) => headers ?? null)),
    previous: columnOf(messages.map(() => null)),
  };
}

const OPTIONS: RouteOptions = {
  outbox: "orders",
  incarnation: "7f3a",
  topic: "t",
  messageKey: null,
  partition: null,
  headers: null,
};

function routed(options: Partial<RouteOptions>, messages: readonly Message[]): Routed {
  const { route, problems } = compileRoute({ ...OPTIONS, ...options });
  assert.deepEqual(problems, []);
  return route!(pageOf(messages));
}

function topicsOf({ page }: Routed): string[] {
  return page === null ? [] : Array.from(page.topic, (index) => page.topics[index]!);
}

function keysOf({ page }: Routed): (string | null)[] {
  return page === null ? [] : Array.from({ length: page.count }, (_, i) => textAt(page.key, i));
}

function headersOf({ page }: Routed, row = 0): string[] {
  const decoder = new TextDecoder();
  return decodeHeaders(valueAt(page!.headers, row)!).map(([name, value]) =>
    `${name}=${decoder.decode(value!)}`
  );
}

Deno.test("compileRoute() puts the relay's facts on every record", () => {
  const ids = [1, 9, 10, 99, 2_147_483_647, 2_147_483_648, 9_007_199_254_740_991];
  const result = routed({}, ids.map((id, i) => ({ id, op: i % 5, dedupKey: "k" })));
  assert.deepEqual(ids.map((_, row) => headersOf(result, row)[2]), ids.map((id) => `pg_tide_id=7f3a-${id}`));
  assert.deepEqual(headersOf(result, 3), ["pg_tide_outbox=orders", "pg_tide_op=read", "pg_tide_id=7f3a-99"]);
  assert.deepEqual(topicsOf(result), ids.map(() => "t"));
  assert.equal(result.origin, null);
});

Deno.test("compileRoute() gives a dead letter that is sent again its old id, and says how often it was", () => {
  const { route } = compileRoute({ ...OPTIONS, messageKey: "{payload.id}", headers: { src: "x", h: "y" } });
  const page = pageOf([
    { id: 9, payload: '{"id":1}', dedupKey: "d" },
    { id: 8, payload: "{}" },
    { id: 7, op: 2, payload: '{"id":3}', headers: '{"h":"own"}' },
  ]);
  const resent = { incarnations: ["7f3a", "0000", "0001"], retries: Uint32Array.of(1, 2, 30) };
  const result = route!({ ...page, resent });
  assert.deepEqual(headersOf(result, 0), [
    "pg_tide_outbox=orders",
    "pg_tide_op=insert",
    "pg_tide_id=7f3a-9",
    "pg_tide_retry=1",
    "pg_tide_dedup_key=d",
    "src=x",
    "h=y",
  ]);
  assert.deepEqual(headersOf(result, 1), [
    "pg_tide_outbox=orders",
    "pg_tide_op=delete",
    "pg_tide_id=0001-7",
    "pg_tide_retry=30",
    "src=x",
    "h=own",
  ]);
  assert.deepEqual([result.rejected.map(({ row }) => row), [...result.origin!]], [[1], [0, 2]]);
});

Deno.test("compileRoute() tells dead letters of however many incarnations apart", () => {
  const { route } = compileRoute({ ...OPTIONS, headers: { src: "x" } });
  const names = Array.from({ length: 100 }, (_, i) => `i${i % 40}`);
  const resent = { incarnations: names, retries: Uint32Array.from(names, (_, i) => i + 1) };
  const result = route!({ ...pageOf(names.map((_, i) => ({ id: i + 1 }))), resent });
  for (const [row, name] of names.entries()) {
    assert.deepEqual(headersOf(result, row).slice(2), [
      `pg_tide_id=${name}-${row + 1}`,
      `pg_tide_retry=${row + 1}`,
      "src=x",
    ]);
  }
});

Deno.test("compileRoute() takes the deduplication key as it stands", () => {
  const messages = [{ dedupKey: "a" }, { dedupKey: null }, { dedupKey: "" }];
  const page = pageOf(messages);
  const { route } = compileRoute(OPTIONS);
  const result = route!(page);
  assert.equal(result.page!.key, page.dedupKey);
  assert.deepEqual(keysOf(result), ["a", null, ""]);
});

Deno.test("compileRoute() renders keys, and carries the deduplication key in a header then", () => {
  const result = routed({ messageKey: "{stream_table}:{payload.id}", headers: { src: "x" } }, [
    { dedupKey: "d", payload: '{"id":12345678901234567890}' },
    { dedupKey: null, payload: '{"id":true}' },
  ]);
  assert.deepEqual(keysOf(result), ["orders:12345678901234567890", "orders:true"]);
  assert.deepEqual(headersOf(result, 0).slice(3), ["pg_tide_dedup_key=d", "src=x"]);
  assert.deepEqual(headersOf(result, 1).slice(3), ["src=x"]);
});

Deno.test("compileRoute() with the key {dedup_key} rejects a message without one", () => {
  const result = routed({ messageKey: "{dedup_key}" }, [{ dedupKey: "a" }, {}, { dedupKey: "c" }]);
  assert.deepEqual(keysOf(result), ["a", "c"]);
  assert.deepEqual([...result.origin!], [0, 2]);
  assert.deepEqual(result.rejected, [{
    row: 1,
    code: "TEMPLATE_VALUE_MISSING",
    reason:
      "Cannot render message_key: the message has no value for {dedup_key}, expected one, or a default: {dedup_key|…}",
  }]);
  assert.equal(headersOf(result, 1).length, 3);
});

Deno.test("compileRoute() renders topics over every variable", () => {
  const message = {
    id: 42,
    op: 2,
    dedupKey: "d",
    payload: '{"event_type":"paid","a":{"b":["x",1.50]},"nil":null}',
    headers: '{"tenant":"acme"}',
  };
  const table: readonly [template: string, topic: string][] = [
    ["{stream_table}.{outbox}", "orders.orders"],
    ["x.{op}", "x.delete"],
    ["{outbox_id}", "42"],
    ["{dedup_key}", "d"],
    ["{event_type}", "paid"],
    ["{header.tenant}", "acme"],
    ["{payload.a.b.0}-{payload.a.b.1}", "x-1.50"],
    ["{payload.nil|none}{payload.a.b.7|}{payload.constructor|c}", "nonec"],
    ["{{{op}}}", "{delete}"],
  ];
  for (const [topic, wanted] of table) {
    assert.deepEqual(topicsOf(routed({ topic }, [message])), [wanted], topic);
  }
});

Deno.test("compileRoute() prefers the header event_type to the payload's", () => {
  const payload = '{"event_type":"from-payload"}';
  const result = routed({ topic: "{event_type}" }, [{ payload, headers: '{"event_type":"from-header"}' }, {
    payload,
  }]);
  assert.deepEqual(topicsOf(result), ["from-header", "from-payload"]);
});

Deno.test("compileRoute() sends to the outbox's name without a topic", () => {
  assert.deepEqual(topicsOf(routed({ topic: null }, [{}])), ["orders"]);
});

Deno.test("compileRoute() names each topic of a page once", () => {
  const result = routed({ topic: "t.{op}" }, [{ op: 0 }, { op: 1 }, { op: 0 }, { op: 1 }]);
  assert.deepEqual(result.page!.topics, ["t.insert", "t.update"]);
  assert.deepEqual([...result.page!.topic], [0, 1, 0, 1]);
});

Deno.test("compileRoute() rejects messages whose topic the sink cannot take, alone", () => {
  const names = ["ok", "", "a b", ".", "..", "x".repeat(250), "x".repeat(249), "ü"];
  const result = routed(
    { topic: "{payload.t}", topicRule: KAFKA_TOPIC },
    names.map((t) => ({ payload: JSON.stringify({ t }) })),
  );
  assert.deepEqual(topicsOf(result), ["ok", "x".repeat(249)]);
  assert.deepEqual(
    result.rejected.map(({ row, code }) => [row, code]),
    [1, 2, 3, 4, 5, 7].map((row) => [row, "TOPIC_INVALID"]),
  );
  assert.match(result.rejected[1]!.reason, /Cannot send to topic "a b": expected at most 249 letters/);
});

Deno.test("compileRoute() refuses an empty topic whatever the sink", () => {
  assert.deepEqual(
    routed({ topic: "{payload.t}" }, [{ payload: '{"t":""}' }]).rejected.map(({ code }) => code),
    ["TOPIC_INVALID"],
  );
});

Deno.test("compileRoute() rejects values that are no texts, payloads and headers that cannot be read", () => {
  const result = routed({ topic: "{payload.t}" }, [
    { payload: '{"t":{}}' },
    { payload: "not JSON" },
    { payload: '{"t":"a"}', headers: "[]" },
    { payload: '{"t":"a"}', headers: '{"x":1}' },
    { payload: '{"t":"a"}', headers: '{"pg_tide_id":"forged"}' },
  ]);
  assert.equal(result.page, null);
  assert.deepEqual(result.rejected.map(({ code }) => code), [
    "TEMPLATE_VALUE_INVALID",
    "PAYLOAD_INVALID",
    "HEADERS_INVALID",
    "HEADERS_INVALID",
    "HEADER_RESERVED",
  ]);
});

Deno.test("compileRoute() numbers the partition of each message, and rejects alone those that give no number", () => {
  const shards = [
    "0",
    "7",
    '"07"',
    '"2147483647"',
    "null",
    '"x"',
    "-1",
    "1.0",
    "2147483648",
    '""',
    "true",
    '"1 "',
  ];
  const result = routed(
    { partition: "{payload.shard}" },
    shards.map((shard) => ({ payload: `{"shard":${shard}}` })),
  );
  assert.deepEqual([...result.page!.partition!], [0, 7, 7, 2_147_483_647]);
  assert.deepEqual([...result.origin!], [0, 1, 2, 3]);
  assert.deepEqual(result.rejected.map(({ row, code }) => [row, code]), [
    [4, "TEMPLATE_VALUE_MISSING"],
    ...[5, 6, 7, 8, 9, 10, 11].map((row) => [row, "PARTITION_INVALID"]),
  ]);
  assert.equal(
    result.rejected[1]!.reason,
    'Cannot use partition "{payload.shard}": the message gives "x", expected a whole number from 0 to 2147483647',
  );
  assert.match(result.rejected[0]!.reason, /^Cannot render partition: .* no value for \{payload\.shard\}/);
  const long = routed({ partition: "{payload.s}" }, [{ payload: JSON.stringify({ s: "9".repeat(500) }) }]);
  assert.ok(long.rejected[0]!.reason.length < 250);
});

Deno.test("compileRoute() composes partitions of several values, and gives a fixed one to every message", () => {
  const messages = [{ id: 1, headers: '{"zone":"2"}' }, { id: 23 }];
  assert.deepEqual([...routed({ partition: "1{header.zone|}{outbox_id}" }, messages).page!.partition!], [
    121,
    123,
  ]);
  assert.deepEqual([...routed({ partition: "3" }, messages).page!.partition!], [3, 3]);
  assert.ok(!("partition" in routed({}, messages).page!), "without a template there is no column");
});

Deno.test("compileRoute() keeps partitions in step with the messages that another part rejects", () => {
  const result = routed({ topic: "{payload.t}", partition: "{outbox_id}" }, [
    { id: 4, payload: '{"t":"a"}' },
    { id: 5, payload: "{}" },
    { id: 6, payload: '{"t":"b"}' },
  ]);
  assert.deepEqual([...result.page!.ids], [4, 6]);
  assert.deepEqual([...result.page!.partition!], [4, 6]);
});

Deno.test("compileRoute() puts a message's headers last, in place of the pipeline's of the same name", () => {
  const headers = { src: "pipeline", env: "prod" };
  const result = routed({ headers }, [
    { headers: '{"traceparent":"00-ab","ü":"ß"}' },
    { headers: '{"src":"message","x":""}' },
    { headers: "{}" },
  ]);
  assert.deepEqual(headersOf(result, 0).slice(3), ["src=pipeline", "env=prod", "traceparent=00-ab", "ü=ß"]);
  assert.deepEqual(headersOf(result, 1).slice(3), ["src=message", "env=prod", "x="]);
  assert.deepEqual(headersOf(result, 2).slice(3), ["src=pipeline", "env=prod"]);
});

Deno.test("compileRoute() carries hundreds of headers", () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`h${i}`, `v${i}`]));
  const result = routed({ headers: { a: "1" } }, [{ headers: JSON.stringify(many) }]);
  assert.equal(headersOf(result).length, 304);
  assert.equal(headersOf(result)[303], "h299=v299");
});

Deno.test("compileRoute() reports all problems at once", () => {
  const { route, problems } = compileRoute({
    ...OPTIONS,
    topic: "{nope}",
    messageKey: "{",
    partition: "{payload}",
    headers: { pg_tide_op: "x" },
  });
  assert.equal(route, null);
  assert.deepEqual(problems.map(({ field }) => field), [
    "headers.pg_tide_op",
    "topic",
    "message_key",
    "partition",
  ]);
});

Deno.test("compileRoute() refuses a fixed topic that the sink cannot take when it is configured", () => {
  const { problems } = compileRoute({ ...OPTIONS, topic: "a b", topicRule: KAFKA_TOPIC });
  assert.equal(
    problems[0]!.message,
    'Cannot use topic: "a b", expected at most 249 letters, digits, ".", "_" and "-"',
  );
});

Deno.test("compileRoute() refuses a fixed partition that is no number when it is configured", () => {
  for (const partition of ["x", "", "-1", "99999999999"]) {
    assert.deepEqual(compileRoute({ ...OPTIONS, partition }).problems, [{
      field: "partition",
      message: `Cannot use partition: "${partition}", expected a whole number from 0 to 2147483647`,
    }]);
  }
});
