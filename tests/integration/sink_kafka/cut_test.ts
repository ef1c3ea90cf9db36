import assert from "node:assert/strict";
import { readTopic } from "../../support/consume.ts";
import { CutProxy } from "../../support/cut_proxy.ts";
import { type KafkaServer, startKafka } from "../../support/kafka.ts";
import { Delivery, openInProcess, openKafkaSink } from "../../support/kafka_sink.ts";
import { NumberedRecords } from "../../support/numbered.ts";
import { freePort } from "../../support/port.ts";

/** Run a test with a broker that clients reach through a line which can be cut. */
async function withLine(test: (kafka: KafkaServer, line: CutProxy) => Promise<void>): Promise<void> {
  const port = freePort();
  // By name, while the bootstrap address is a number: so the sink also has to discover it.
  await using kafka = await startKafka({
    settings: { "advertised.listeners": `PLAINTEXT://localhost:${port}` },
  });
  await using line = await CutProxy.to(Number(kafka.brokers.split(":")[1]), port);
  await test(kafka, line);
}

/** Deliver page after page while something goes wrong with the line again and again. */
async function deliverThrough(
  delivery: Delivery,
  topic: string,
  records: NumberedRecords,
  trouble: () => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const troubles = (async () => {
    while (!stop.signal.aborted) await trouble();
  })();
  for (let page = 0; page < 60; page++) await delivery.offer(topic, records.take(500));
  stop.abort();
  await troubles;
  await delivery.drained();
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

Deno.test("the Kafka sink on a line that is cut again and again", async (t) => {
  await withLine(async (kafka, line) => {
    const brokers = `127.0.0.1:${line.port}`;
    const cut = async () => {
      await pause(20 + Math.random() * 150);
      line.cut();
    };
    await t.step("idempotent: every record exactly once, in order", async () => {
      await kafka.createTopic("idempotent", 4);
      const records = new NumberedRecords({ keys: 101 });
      const sink = await openKafkaSink({ brokers, idempotent: true, compression: "zstd", linger_ms: 0 });
      await using delivery = new Delivery(sink);
      await deliverThrough(delivery, "idempotent", records, cut);
      assert.deepEqual(delivery.letters, []);
      assert.deepEqual(delivery.states, []);
      records.assertExactlyOnce(await readTopic(kafka.brokers, "idempotent"));
    });
    await t.step("not idempotent: every record, in order, some of them twice", async () => {
      await kafka.createTopic("plain", 4);
      const records = new NumberedRecords({ keys: 101 });
      const sink = await openKafkaSink({ brokers, compression: "zstd", linger_ms: 0 });
      await using delivery = new Delivery(sink);
      await deliverThrough(delivery, "plain", records, cut);
      assert.deepEqual(delivery.letters, []);
      const again = records.assertInOrder(await readTopic(kafka.brokers, "plain"));
      assert.ok(again > 0, "the line was cut between a write and its answer, or this shows nothing");
    });
    await t.step(
      "a line on which nothing arrives: requests time out, are sent again, and stand there once",
      async () => {
        await kafka.createTopic("hanging", 4);
        const records = new NumberedRecords();
        const fields = { brokers, idempotent: true, request_timeout_ms: 300, delivery_timeout_ms: 30_000 };
        await using delivery = new Delivery(await openInProcess(fields));
        let hung = 0;
        await deliverThrough(delivery, "hanging", records, async () => {
          await pause(100);
          if (hung++ >= 3) return;
          line.mode = "hang";
          await pause(500);
          line.mode = "forward";
        });
        assert.deepEqual(delivery.states, []);
        records.assertExactlyOnce(await readTopic(kafka.brokers, "hanging"));
      },
    );
  });
});
