import assert from "node:assert/strict";
import type { Topic } from "../../../../plugins/sink_kafka/cluster/cluster_port.ts";
import { Entrance } from "../../../../plugins/sink_kafka/produce/entrance.ts";
import { PageDelivery } from "../../../../plugins/sink_kafka/produce/page_delivery.ts";
import { PARTITION_WAIT_MS } from "../../../../plugins/sink_kafka/produce/partition_wait.ts";
import { type RecordDraft, recordPage } from "../../../support/kafka_sink.ts";
import { SinkClock } from "../../../support/sink_clock.ts";

function setup() {
  const topics = new Map<string, Topic>();
  const cluster = { asOfMs: 0, topic: (name: string) => topics.get(name) };
  const missing: string[] = [];
  const accepted: { readonly id: number; readonly topics: readonly (Topic | undefined)[] }[] = [];
  const clock = new SinkClock();
  const entrance = new Entrance({
    clock,
    cluster,
    search: { missing: (topic) => void missing.push(topic) },
    accept: ({ page }, topics) => accepted.push({ id: page.ids[0]!, topics }),
  });
  const enter = (id: number, drafts: readonly RecordDraft[]) =>
    entrance.enter(new PageDelivery(recordPage("t", drafts, id), 0));
  return { accepted, clock, cluster, enter, entrance, missing, topics };
}

Deno.test("Entrance lets a page in at once when its topics are known", () => {
  const { accepted, enter, missing, topics } = setup();
  const [t, u]: Topic[] = [{ errorCode: 0, leaders: [1, -1, 1], preferred: [0, 2] }, {
    errorCode: 0,
    leaders: [2],
  }];
  topics.set("t", t!).set("u", u!);
  enter(1, [{ topic: "u" }, {}]);
  assert.deepEqual(accepted, [{ id: 1, topics: [u, t] }]);
  assert.deepEqual(missing, []);
});

Deno.test("Entrance holds up the pages behind one whose topic is not known", async () => {
  const { accepted, clock, enter, entrance, missing, topics } = setup();
  topics.set("t", { errorCode: 0, leaders: [1] });
  enter(1, [{ topic: "new" }, {}]);
  enter(2, [{}]);
  assert.deepEqual([accepted, missing], [[], ["new"]]);
  await clock.pass(30);
  topics.set("new", { errorCode: 3, leaders: [] });
  entrance.admit();
  assert.deepEqual([accepted, missing], [[], ["new", "new"]]);
  assert.deepEqual([...entrance.stalled()], [{
    topic: "new",
    partition: -1,
    stalledSinceMs: 0,
    stalledBy: undefined,
    reachedBefore: true,
  }]);
  topics.set("new", { errorCode: 0, leaders: [1, 1] });
  entrance.admit();
  const [known, late] = [topics.get("t"), topics.get("new")];
  assert.deepEqual(accepted, [{ id: 1, topics: [late, known] }, { id: 2, topics: [known] }]);
  assert.deepEqual([...entrance.stalled()], []);
});

Deno.test("Entrance does not wait for a topic that no record of a page goes to", () => {
  const { accepted, entrance, topics } = setup();
  topics.set("t", { errorCode: 0, leaders: [1] });
  const page = { ...recordPage("t", [{}]), topics: ["unused", "t"], topic: Uint16Array.of(1) };
  entrance.enter(new PageDelivery(page, 0));
  assert.deepEqual(accepted, [{ id: 1, topics: [undefined, topics.get("t")] }]);
});

Deno.test("Entrance forgets whom it has turned away", () => {
  const { accepted, enter, entrance, topics } = setup();
  enter(1, [{}]);
  entrance.clear();
  topics.set("t", { errorCode: 0, leaders: [1] });
  entrance.admit();
  assert.deepEqual([accepted, [...entrance.stalled()]], [[], []]);
  enter(2, [{}]);
  assert.deepEqual(accepted, [{ id: 2, topics: [topics.get("t")] }]);
});

Deno.test("Entrance holds up the pages behind one with a record for a partition that may have been added", async () => {
  const { accepted, clock, cluster, enter, entrance, missing, topics } = setup();
  const [before, after]: Topic[] = [{ errorCode: 0, leaders: [1] }, { errorCode: 0, leaders: [1, 1, 1] }];
  topics.set("t", before!);
  enter(1, [{ partition: 0 }]);
  enter(2, [{ partition: 2 }, {}]);
  enter(3, [{}]);
  assert.deepEqual([accepted.map(({ id }) => id), missing], [[1], ["t"]]);
  assert.deepEqual([...entrance.stalled()].map(({ topic, partition }) => [topic, partition]), [["t", -1]]);
  await clock.pass(100);
  cluster.asOfMs = 90;
  entrance.admit();
  assert.deepEqual([accepted.length, missing], [1, ["t", "t"]]);
  topics.set("t", after!);
  entrance.admit();
  assert.deepEqual(accepted.slice(1), [{ id: 2, topics: [after] }, { id: 3, topics: [after] }]);
  assert.deepEqual([...entrance.stalled()], []);
});

Deno.test("Entrance lets a page in for good when a partition is not added, and holds up no later one for it", async () => {
  const { accepted, clock, cluster, enter, entrance, missing, topics } = setup();
  topics.set("t", { errorCode: 0, leaders: [1] });
  enter(1, [{ partition: 2 }, {}]);
  await clock.pass(PARTITION_WAIT_MS + 100);
  cluster.asOfMs = PARTITION_WAIT_MS;
  entrance.admit();
  assert.deepEqual(accepted.map(({ id }) => id), [1]);
  enter(2, [{ partition: 7 }]);
  assert.deepEqual([accepted.map(({ id }) => id), missing], [[1, 2], ["t"]]);
});
