import { unavailable } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { PageDelivery } from "../../../../plugins/sink_kafka/produce/page_delivery.ts";
import { recordPage } from "../../../support/kafka_sink.ts";

function deliveryOf(records: number): PageDelivery {
  return new PageDelivery(recordPage("t", Array.from({ length: records }, () => ({ value: "x" }))), 5);
}

Deno.test("PageDelivery answers when every record has an outcome, in whatever order", async () => {
  const delivery = deliveryOf(5);
  for (const index of [4, 0, 1]) delivery.deliver(index);
  delivery.reject(2, "MESSAGE_TOO_LARGE", "too large");
  assert.ok(delivery.open);
  delivery.deliver(3);
  assert.ok(!delivery.open);
  const { delivered, rejected, fault } = await delivery.answer;
  assert.deepEqual([...delivered], [0, 2, 3, 5]);
  assert.deepEqual(rejected, [{ index: 2, code: "MESSAGE_TOO_LARGE", reason: "too large" }]);
  assert.equal(fault, undefined);
});

Deno.test("PageDelivery says of a page that is given up what was delivered", async () => {
  const delivery = deliveryOf(3);
  delivery.deliver(1);
  const fault = unavailable("X", "x");
  delivery.giveUp(fault);
  const answer = await delivery.answer;
  assert.deepEqual([...answer.delivered], [1, 2]);
  assert.equal(answer.fault, fault);
});

Deno.test("PageDelivery answers a page without records at once", async () => {
  assert.deepEqual([...(await deliveryOf(0).answer).delivered], []);
});
