import assert from "node:assert/strict";
import { textAt } from "../../../plugins/sdk/mod.ts";
import { transferables } from "../../../plugins/sdk/transfer.ts";
import { pageOf, recordsOf } from "../../support/pages.ts";

/** What arrives on the other side of a Worker's border. */
function sent<Page extends object>(page: Page & Parameters<typeof transferables>[0]): Page {
  return structuredClone(page, { transfer: transferables(page) });
}

Deno.test("transferables() moves every buffer of a page, that of its partitions too", () => {
  const source = pageOf([1, 2]);
  const records = { ...recordsOf(source), partition: Int32Array.of(3, -1) };
  const messages = { ...source, ...records, payload: source.payload, partition: Int32Array.of(4, 5) };
  const encoded = {
    page: { ...recordsOf(pageOf([6])), partition: Int32Array.of(7) },
    messageIndex: Uint32Array.of(0),
    rejected: [],
  };
  const arrived = sent(encoded);
  assert.deepEqual(arrived.page.partition, Int32Array.of(7));
  assert.deepEqual(
    [encoded.page.partition.length, encoded.messageIndex.length],
    [0, 0],
    "the sender lost them",
  );
  // Two pages share columns here, so one of them is sent.
  assert.deepEqual(sent(messages).partition, Int32Array.of(4, 5));
  assert.equal(messages.partition.length, 0);
  assert.equal(records.partition.length, 2);
});

Deno.test("transferables() sends pages whose records name no partition without a column for them", () => {
  const records = recordsOf(pageOf([1]));
  const arrived = sent(records);
  assert.ok(!("partition" in arrived));
  assert.equal(textAt(arrived.value, 0), '{"id":1}');
});
