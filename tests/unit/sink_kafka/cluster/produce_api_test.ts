import { Connection, Reader, type Writer } from "@platformatic/kafka";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type ProduceAnswer,
  produceApi,
  type TopicBatches,
  unansweredRequest,
} from "../../../../plugins/sink_kafka/cluster/produce_api.ts";

/** What the library is given to send and to read. */
interface Sent {
  readonly request: Writer;
  readonly parse: (correlation: number, key: number, version: number, reader: Reader) => ProduceAnswer;
}

/** Send a request over a connection that only keeps it. */
function send(version: 7 | 8 | 9, acks: number, topics: readonly TopicBatches[]): Sent {
  let sent: Sent | undefined;
  const connection = {
    send: (_key: number, _version: number, create: () => Writer, parse: Sent["parse"]) =>
      sent = { request: create(), parse },
  } as unknown as Connection;
  produceApi(version)(connection, acks, 1_500, topics, () => {});
  return sent!;
}

const BATCH = Uint8Array.of(0xaa, 0xbb, 0xcc);
const TOPICS: readonly TopicBatches[] = [{ topic: "t", partitions: [{ partition: 2, batch: BATCH }] }];

Deno.test("produceApi() writes requests of versions 7 and 8 as the protocol says", () => {
  for (const version of [7, 8] as const) {
    const { request } = send(version, -1, TOPICS);
    const expected = [
      "ffff", // no transactional id
      "ffff", // acks all
      "000005dc", // 1,500 ms
      "00000001" + "0001" + "74", // one topic "t"
      "00000001" + "00000002", // one partition, 2
      "00000003" + "aabbcc",
    ];
    assert.equal(request.buffer.toString("hex"), expected.join(""));
  }
});

Deno.test("produceApi() writes requests of version 9 in the compact encoding", () => {
  const { request } = send(9, 1, TOPICS);
  const expected = [
    "00",
    "0001",
    "000005dc",
    "02" + "02" + "74",
    "02" + "00000002",
    "04" + "aabbcc",
    "00",
    "00",
    "00",
  ];
  assert.equal(request.buffer.toString("hex"), expected.join(""));
});

Deno.test("unansweredRequest() writes a whole request of each version", () => {
  const body = (request: Writer) => request.buffer.toString("hex");
  for (const version of [7, 8, 9] as const) {
    const written = unansweredRequest(version, "relay", 1_500, TOPICS).toString("hex");
    const head = "0000" + `000${version}` + "00000000" + "0005" + "72656c6179" + (version === 9 ? "00" : "");
    const whole = head + body(send(version, 0, TOPICS).request);
    assert.equal(written, (whole.length / 2).toString(16).padStart(8, "0") + whole);
  }
});

Deno.test("produceApi() hands back every partition's result, errors and all", () => {
  const answer = [
    "02" + "02" + "74", // one topic "t"
    "02" + "00000002" + "0057", // one partition, 2, INVALID_RECORD
    "ffffffffffffffff" + "ffffffffffffffff" + "ffffffffffffffff",
    "02" + "00000005" + "03" + "6e6f" + "00", // record 5: "no"
    "04" + "626164" + "00" + "00", // "bad"
    "00000032" + "00", // 50 ms
  ];
  const { parse } = send(9, -1, TOPICS);
  assert.deepEqual(parse(1, 0, 9, Reader.from(Buffer.from(answer.join(""), "hex"))), {
    throttleMs: 50,
    results: [{
      topic: "t",
      partition: 2,
      errorCode: 87,
      errorMessage: "bad",
      recordErrors: [{ index: 5, message: "no" }],
    }],
  });
  const old = [
    "00000001" + "0001" + "74",
    "00000001" + "00000002" + "0000",
    "0000000000000007".repeat(3),
    "00000000",
  ];
  assert.deepEqual(send(7, -1, TOPICS).parse(1, 0, 7, Reader.from(Buffer.from(old.join(""), "hex"))), {
    throttleMs: 0,
    results: [{ topic: "t", partition: 2, errorCode: 0, errorMessage: null, recordErrors: [] }],
  });
});
