import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Answer,
  AnswerBuilder,
  columnOf,
  type EncodedPage,
  encodeHeaders,
  NULL_RANGE,
  type PluginDescription,
} from "../../../plugins/sdk/mod.ts";
import {
  GuardError,
  readAnswer,
  readDescription,
  readEncoded,
  readEnvelope,
  readFault,
  readHosts,
  readOpened,
} from "../../../src/host/guard.ts";
import { REGISTRY } from "../../../plugins/registry.ts";

/** Values that a hostile Worker may put anywhere. */
const hostile = fc.oneof(
  fc.anything({
    withTypedArray: true,
    withSparseArray: true,
    withBigInt: true,
    withMap: true,
    withDate: true,
  }),
  fc.constantFrom(NULL_RANGE, -1, 0, 1.5, NaN, Infinity, 2 ** 53, "", "__proto__", null, undefined),
  fc.uint32Array({ maxLength: 12 }),
  fc.constant(new Uint32Array(new SharedArrayBuffer(8))),
  fc.constant(new Uint32Array(new ArrayBuffer(8, { maxByteLength: 64 }))),
);

/** A value with up to three of its members, at any depth, replaced by hostile ones. */
function mutated(value: unknown): fc.Arbitrary<unknown> {
  const mutation = fc.tuple(fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }), hostile);
  return fc.array(mutation, { minLength: 1, maxLength: 3 }).map((mutations) =>
    mutations.reduce((result, [path, replacement]) => replaceAt(result, path, replacement), value)
  );
}

function replaceAt(value: unknown, [step, ...rest]: readonly number[], replacement: unknown): unknown {
  if (step === undefined) return replacement;
  if (ArrayBuffer.isView(value)) return mutatedArray(value, step, replacement);
  if (typeof value !== "object" || value === null) return replacement;
  const names = Object.keys(value);
  const name = names[step % (names.length + 1)];
  if (name === undefined) return replacement;
  const empty = Array.isArray(value) ? [] : Object.create(Object.getPrototypeOf(value));
  const copy: Record<string, unknown> = Object.assign(empty, value);
  copy[name] = replaceAt(copy[name], rest, replacement);
  return copy;
}

/** A copy of one of the arrays that pages are made of, with one number in it replaced. */
function mutatedArray(value: ArrayBufferView, at: number, replacement: unknown): unknown {
  const copy: unknown = value.buffer instanceof ArrayBuffer ? structuredClone(value) : value;
  const kinds = [Uint8Array, Uint16Array, Uint32Array, Int32Array, Float64Array];
  const array = kinds.map((kind) => copy instanceof kind ? copy : null).find((one) => one !== null);
  if (array === undefined || array.length === 0 || typeof replacement !== "number") return replacement;
  array[at % array.length] = replacement;
  return array;
}

/** What `read` makes of a value; `null` when it is refused, which must be by a GuardError. */
function tryRead<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof GuardError, String(error));
    assert.ok(error.message.length < 3_000, "an error stays short");
    return null;
  }
}

function assertWhole(answer: Answer, count: number): void {
  const outcomes = new Array<number>(count).fill(0);
  for (let i = 0; i < answer.delivered.length; i += 2) {
    const [from, to] = [answer.delivered[i]!, answer.delivered[i + 1]!];
    assert.ok(from < to && to <= count);
    for (let record = from; record < to; record++) outcomes[record]!++;
  }
  for (const { index, code, reason } of [...answer.rejected, ...answer.failed]) {
    assert.ok(Number.isInteger(index) && index >= 0 && index < count);
    assert.match(code, /^[A-Z0-9_]{1,100}$/);
    assert.ok(reason.length <= 2_000 && !/\p{Cc}/u.test(reason));
    outcomes[index]!++;
  }
  assert.ok(outcomes.every((n) => n <= 1));
  if (answer.fault === undefined) assert.ok(outcomes.every((n) => n === 1));
}

const outcome = fc.constantFrom("delivered", "rejected", "failed", "open");
const text = fc.string({ minLength: 1, maxLength: 20, unit: "binary" });

Deno.test("readAnswer() passes every answer that the SDK builds", () => {
  fc.assert(fc.property(fc.array(outcome, { maxLength: 40 }), text, (outcomes, reason) => {
    const builder = new AnswerBuilder(outcomes.length);
    outcomes.forEach((one, i) => {
      if (one === "delivered") builder.deliver(i);
      else if (one === "rejected") builder.reject(i, "TOO_LARGE", reason);
      else if (one === "failed") builder.fail(i, "LATER", reason, 10.5);
    });
    const built = builder.build({ kind: "unavailable", code: "X", reason });
    const answer = readAnswer(structuredClone(built), outcomes.length);
    assertWhole(answer, outcomes.length);
    assert.deepEqual(answer.delivered, built.delivered);
    assert.deepEqual(answer.rejected.map(({ index }) => index), built.rejected.map(({ index }) => index));
    assert.equal(answer.fault === undefined, !outcomes.includes("open"));
    assert.ok(answer.failed.every(({ retryAfterMs }) => retryAfterMs === 11));
  }));
});

Deno.test("readAnswer() never passes an inconsistent answer, nor throws anything but a GuardError", () => {
  const base: Answer = {
    delivered: Uint32Array.of(0, 2, 4, 5),
    rejected: [{ index: 2, code: "A", reason: "a" }],
    failed: [{ index: 3, code: "B", reason: "b", retryAfterMs: 5 }],
    fault: { kind: "hosts", hosts: ["a:1"] },
  };
  let passed = 0;
  fc.assert(
    fc.property(mutated(base), fc.constantFrom(0, 4, 5, 6), (value, count) => {
      const answer = tryRead(() => readAnswer(value, count));
      if (answer === null) return;
      passed++;
      assertWhole(answer, count);
      assert.ok(answer.delivered.buffer instanceof ArrayBuffer && !answer.delivered.buffer.resizable);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(passed > 0, "some mutations are harmless");
});

function encodedPage(): EncodedPage {
  const list = encodeHeaders([["a", "b"], ["c", null]]);
  return {
    page: {
      count: 3,
      ids: Float64Array.of(10, 10, 30),
      createdMs: Float64Array.of(1, 1, 3),
      topics: ["t", "u"],
      topic: Uint16Array.of(0, 1, 0),
      partition: Int32Array.of(3, -1, 0),
      key: columnOf(["k", null, ""]),
      value: columnOf(["v", "w", null]),
      headers: columnOf([list, list, encodeHeaders([])]),
    },
    messageIndex: Uint32Array.of(0, 0, 2),
    rejected: [{ index: 1, code: "X", reason: "no" }],
  };
}

const SENT = { ids: Float64Array.of(10, 20, 30), bytes: 100 };

function assertConsistent({ page, messageIndex, rejected }: EncodedPage): void {
  const { count } = page;
  assert.equal(messageIndex.length, count);
  for (const column of [page.key, page.value, page.headers]) {
    assert.equal(column.ranges.length, 2 * count);
    for (let i = 0; i < count; i++) {
      const [from, to] = [column.ranges[2 * i]!, column.ranges[2 * i + 1]!];
      assert.ok(from === NULL_RANGE || (from <= to && to <= column.bytes.length));
    }
  }
  if (page.partition !== undefined) {
    assert.ok(page.partition instanceof Int32Array && page.partition.length === count);
    assert.ok(page.partition.every((number) => number >= -1));
  }
  for (let i = 0; i < count; i++) {
    assert.equal(page.ids[i], SENT.ids[messageIndex[i]!]);
    assert.ok(i === 0 || messageIndex[i]! >= messageIndex[i - 1]!);
    assert.ok(page.topics[page.topic[i]!] !== undefined);
    assert.ok(Number.isFinite(page.createdMs[i]));
  }
  for (const { index } of rejected) assert.ok(!messageIndex.includes(index));
}

Deno.test("readEncoded() passes a sound page unchanged", () => {
  assert.deepEqual(readEncoded(structuredClone(encodedPage()), SENT), encodedPage());
});

Deno.test("readEncoded() passes a page that says nothing of partitions, and no column that is not one", () => {
  const { page: { partition: _, ...page }, ...rest } = encodedPage();
  assert.ok(!("partition" in readEncoded({ page, ...rest }, SENT).page));
  const read = (partition: unknown) => () => readEncoded({ page: { ...page, partition }, ...rest }, SENT);
  const cases: readonly [partition: unknown, message: RegExp][] = [
    [Int32Array.of(0, -2, 0), /^encoded\.page\.partition is not made of numbers from -1$/],
    [Int32Array.of(0, 0), /^encoded\.page\.partition is not of length 3$/],
    [Uint32Array.of(0, 0, 0), /^encoded\.page\.partition is not a Int32Array$/],
    [[0, 0, 0], /^encoded\.page\.partition is not a Int32Array$/],
    [null, /^encoded\.page\.partition is not a Int32Array$/],
    [new Int32Array(new SharedArrayBuffer(12)), /^encoded\.page\.partition is not in a buffer of its own$/],
  ];
  for (const [partition, message] of cases) assert.throws(read(partition), { name: "GuardError", message });
});

Deno.test("readEncoded() never passes an inconsistent page, nor throws anything but a GuardError", () => {
  let passed = 0;
  fc.assert(
    fc.property(mutated(encodedPage()), (value) => {
      const encoded = tryRead(() => readEncoded(value, SENT));
      if (encoded === null) return;
      passed++;
      assertConsistent(encoded);
    }),
    { numRuns: 3_000 },
  );
  assert.ok(passed > 0, "some mutations are harmless");
});

Deno.test("readEncoded() passes exactly the header lists that can be decoded to their end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 12 }), (list) => {
      const { page, ...rest } = encodedPage();
      const whole = encodeHeaders([["a", "b"]]);
      const headers = columnOf([whole, list, whole]);
      const passed = tryRead(() => readEncoded({ page: { ...page, headers }, ...rest }, SENT)) !== null;
      assert.equal(passed, isHeaderList(list));
    }),
    { numRuns: 2_000 },
  );
});

/** An oracle that takes its time: a count, then names and values, by the rules of Kafka's record format. */
function isHeaderList(list: Uint8Array): boolean {
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; shift < 35n; shift += 7n) {
      if (at >= list.length) throw new RangeError();
      const byte = BigInt(list[at++]!);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) {
        const low = BigInt.asUintN(32, value);
        return Number(BigInt.asIntN(32, (low >> 1n) ^ -(low & 1n)));
      }
    }
    throw new RangeError();
  };
  const take = (length: number) => {
    at += Math.max(0, length);
    if (at > list.length) throw new RangeError();
  };
  try {
    const count = varint();
    if (count < 0) return false;
    for (let i = 0; i < count; i++) {
      const name = varint();
      if (name < 0) return false;
      take(name);
      const value = varint();
      if (value < -1) return false;
      take(value);
    }
    return at === list.length;
  } catch {
    return false;
  }
}

const DESCRIPTION: PluginDescription = {
  name: "mine",
  kind: "sink",
  contract: 1,
  summary: "Mine",
  fields: [
    {
      name: "url",
      type: "string",
      doc: "Where",
      required: true,
      pattern: "https?://.*",
      patternDoc: "a URL",
    },
    { name: "retry.max", type: "integer", doc: "How often", default: 3, min: 0, max: 10, examples: [1] },
    { name: "mode", type: "string", doc: "How", values: ["a", "b"], default: "a" },
  ],
  rules: [{ when: { field: "mode", is: ["b"] }, then: { field: "url" }, message: "no" }],
  permissions: { net: ["{url}"], guardedNet: ["{url}", "a:1"], discoversHosts: true },
  topicRule: { pattern: "[a-z]+", doc: "letters" },
  partitions: true,
};

Deno.test("readDescription() passes sound descriptions unchanged, those of all built-in plugins too", () => {
  for (const description of [DESCRIPTION, ...REGISTRY.map((plugin) => plugin.description)]) {
    assert.deepEqual(readDescription(structuredClone(description)), description);
  }
});

Deno.test("readDescription() never throws anything but a GuardError, and drops what it does not know", () => {
  fc.assert(
    fc.property(mutated({ ...DESCRIPTION, evil: 1 }), (value) => {
      const description = tryRead(() => readDescription(value));
      if (description === null) return;
      assert.ok(!("evil" in description));
      assert.match(description.name, /^[a-z][a-z0-9_]*$/);
      assert.equal(new Set(description.fields.map(({ name }) => name)).size, description.fields.length);
      for (const { pattern } of description.fields) if (pattern !== undefined) new RegExp(pattern, "u");
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("readDescription() names the part that is wrong", () => {
  const field = (members: object) => ({ ...DESCRIPTION, fields: [{ ...DESCRIPTION.fields[1], ...members }] });
  const cases: readonly [description: unknown, message: RegExp][] = [
    [{ ...DESCRIPTION, name: "My Sink" }, /^description\.name is not a name like .*"My Sink"$/],
    [{ ...DESCRIPTION, contract: 2 }, /^description\.contract is 2: this relay speaks version 1/],
    [{ ...DESCRIPTION, kind: "source" }, /^description\.kind is not one of sink, format$/],
    [{ ...DESCRIPTION, fields: [DESCRIPTION.fields[0], DESCRIPTION.fields[0]] }, /different names/],
    [
      { ...DESCRIPTION, permissions: { net: ["{host}"] } },
      /permissions\.net is not made of its fields: host$/,
    ],
    [
      { ...DESCRIPTION, permissions: { guardedNet: ["{host}"] } },
      /permissions\.guardedNet is not made of its/,
    ],
    [{ ...DESCRIPTION, kind: "format" }, /^description\.topicRule is not for formats$/],
    [
      { ...DESCRIPTION, kind: "format", topicRule: undefined },
      /^description\.partitions is not for formats$/,
    ],
    [{ ...DESCRIPTION, partitions: 3 }, /^description\.partitions is not true or false$/],
    [field({ default: "3" }), /^description\.fields\[0\]\.default is not of type integer$/],
    [field({ required: true }), /^description\.fields\[0\]\.default is not for a required field$/],
    [field({ pattern: "(" }), /^description\.fields\[0\]\.pattern is not a regular expression$/],
    [field({ type: "date" }), /^description\.fields\[0\]\.type is not one of string, /],
  ];
  for (const [description, message] of cases) {
    assert.throws(() => readDescription(description), { name: "GuardError", message });
  }
});

Deno.test("readEnvelope(), readFault(), readHosts() and readOpened() throw nothing but a GuardError", () => {
  fc.assert(
    fc.property(hostile, (value) => {
      for (const t of ["hello", "log", "failed", "answer", "pong"]) {
        tryRead(() => readEnvelope({ t, n: value, level: "info", text: value }));
      }
      tryRead(() => readEnvelope(value));
      for (const kind of ["unavailable", "configuration", "hosts"]) {
        tryRead(() => readFault({ kind, code: value, reason: value, hosts: value, advice: value }, "fault"));
      }
      tryRead(() => readHosts(value, "hosts"));
      tryRead(() => readOpened({ pagesInFlight: value, notice: value, answerWithinMs: value }));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("readFault() cuts and cleans texts, and makes codes of what is none", () => {
  const reason = `a\u001b[31m\n${"word ".repeat(390)}${"secret".repeat(100)} and more`;
  const fault = readFault({ kind: "configuration", code: "bad-code é", reason, advice: "b\u0000c" }, "fault");
  assert.ok(fault.kind === "configuration");
  assert.equal(fault.code, "BAD_CODE__");
  assert.equal(fault.reason, `a [31m ${"word ".repeat(390)}…`, "cut between two words");
  assert.equal(fault.advice, "b c");
});
