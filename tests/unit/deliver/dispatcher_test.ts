import assert from "node:assert/strict";
import {
  type Answer,
  AnswerBuilder,
  delivered,
  type Fault,
  faulted,
  misconfigured,
  type RecordPage,
  unavailable,
} from "@pg-tide/sdk";
import { LIMITS } from "../../../src/base/limits.ts";
import { DeadLetterDesk } from "../../../src/deliver/dead_letter_desk.ts";
import { Dispatcher } from "../../../src/deliver/dispatcher.ts";
import type { Sink } from "../../../src/deliver/mod.ts";
import { type Consignment, Shipment } from "../../../src/deliver/shipment.ts";
import type { DeadLetter } from "../../../src/record/dead_letter.ts";
import { PageProgress } from "../../../src/record/progress.ts";
import { pageOf, recordsOf, windowOf } from "../../support/pages.ts";
import { VirtualClock } from "../../support/virtual_clock.ts";

/** A sink that a test answers for, page by page. */
class ScriptedSink implements Sink {
  readonly pagesInFlight = 2;
  readonly given: {
    ids: number[];
    generation: number;
    answer: (answer: Answer) => void;
    tell: (count: number) => void;
  }[] = [];
  readonly recoveries: Fault[] = [];
  recovery: (fault: Fault) => Fault | null = () => null;

  deliver(page: RecordPage, generation: number, tell: (count: number) => void): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.given.push({ ids: [...page.ids], generation, answer: resolve, tell });
    return promise;
  }

  recover(fault: Fault): Promise<Fault | null> {
    this.recoveries.push(fault);
    return Promise.resolve(this.recovery(fault));
  }
}

function setup(maxAttempts = 3) {
  const clock = new VirtualClock();
  const sink = new ScriptedSink();
  const letters: DeadLetter[] = [];
  const states: string[] = [];
  const failures: unknown[] = [];
  const desk = new DeadLetterDesk({
    store: {
      keep: (kept) => Promise.resolve(void letters.push(...kept)),
      count: () => Promise.resolve(letters.length),
    },
    lettersMax: 1_000,
    clock,
    onSettled: () => {},
    onState: ({ state }) => states.push(state),
    onFailure: (error) => failures.push(error),
  });
  const dispatcher = new Dispatcher({
    sink,
    clock,
    retry: { initialMs: 100, maxMs: 1_000 },
    onSettled: () => {},
    onState: ({ state }) => states.push(state),
    onFailure: (error) => failures.push(error),
  });
  const shipmentOf = (ids: readonly number[], more: Partial<RecordPage> = {}) => {
    const page = pageOf(ids);
    const progress = new PageProgress(page.ids, windowOf(1, 0, 1_000), "run");
    const messages: Consignment = {
      page,
      progress,
      attemptsMax: maxAttempts,
      refuse: (casualties) => desk.file(page, progress, casualties),
    };
    return new Shipment({ records: { ...recordsOf(page), ...more }, rows: null, messages });
  };
  return { clock, sink, letters, states, failures, dispatcher, desk, shipmentOf };
}

const progressOf = (shipment: Shipment) => shipment.parts.messages.progress as PageProgress;

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

Deno.test("Dispatcher gives no more pages than the sink wants in flight", async () => {
  const { sink, dispatcher, shipmentOf } = setup();
  let offered = 0;
  const offering = (async () => {
    for (let i = 1; i <= 4; i++) {
      await dispatcher.offer(shipmentOf([i]));
      offered++;
    }
  })();
  await turn();
  assert.deepEqual([sink.given.length, offered], [2, 1]);
  sink.given[0]!.answer(delivered(1));
  await turn();
  assert.deepEqual([sink.given.length, offered], [3, 2]);
  for (let i = 1; i < 4; i++) {
    sink.given[i]!.answer(delivered(1));
    await turn();
  }
  await offering;
  await dispatcher.drained();
  assert.equal(dispatcher.idle, true);
});

Deno.test("Dispatcher after an outage gives the unfinished records again, in order, when all pages are answered", async () => {
  const { clock, sink, states, dispatcher, shipmentOf } = setup();
  void dispatcher.offer(shipmentOf([1, 2, 3]));
  void dispatcher.offer(shipmentOf([4, 5]));
  await turn();
  const partly = new AnswerBuilder(3);
  partly.deliver(1);
  sink.given[0]!.answer(partly.build(unavailable("DOWN", "broker down")));
  await turn();
  assert.equal(sink.recoveries.length, 0, "the second page is still in flight");
  sink.given[1]!.answer(faulted(unavailable("DOWN", "broker down")));
  await clock.run(clock.sleep(200));
  assert.deepEqual(sink.given.slice(2).map(({ ids, generation }) => [ids, generation]), [[[1, 3], 2], [
    [4, 5],
    2,
  ]]);
  assert.deepEqual(states, ["waiting"], "a sink that is open again has yet to deliver");
  sink.given[2]!.answer(delivered(2));
  await turn();
  assert.deepEqual(states, ["waiting", "running"]);
  dispatcher.close();
});

Deno.test("Dispatcher waits out an outage without counting attempts or dead letters", async () => {
  const { clock, sink, letters, dispatcher, shipmentOf } = setup(1);
  sink.recovery = (fault) => sink.recoveries.length < 50 ? fault : null;
  void dispatcher.offer(shipmentOf([1]));
  await turn();
  sink.given[0]!.answer(faulted(unavailable("DOWN", "broker down")));
  await clock.run(clock.sleep(60_000));
  assert.equal(sink.recoveries.length, 50);
  assert.equal(sink.given.length, 2);
  sink.given[1]!.answer(delivered(1));
  await dispatcher.drained();
  assert.deepEqual(letters, []);
});

Deno.test("Dispatcher dead-letters a record alone once its attempts are used up, and its neighbours go on", async () => {
  const { clock, sink, letters, states, desk, dispatcher, shipmentOf } = setup(2);
  const shipment = shipmentOf([7, 8]);
  void dispatcher.offer(shipment);
  for (let attempt = 0; attempt < 2; attempt++) {
    await clock.run(clock.sleep(500));
    const answer = new AnswerBuilder(sink.given[attempt]!.ids.length);
    answer.fail(0, "SHAKY", "not this time");
    sink.given[attempt]!.answer(answer.build(unavailable("SHAKY", "not this time")));
  }
  await clock.run(clock.sleep(500));
  assert.deepEqual(sink.given.map(({ ids }) => ids), [[7, 8], [7, 8], [8]]);
  sink.given[2]!.answer(delivered(1));
  await dispatcher.drained();
  await desk.flush();
  assert.deepEqual(states, ["waiting", "waiting", "running"]);
  assert.deepEqual(
    letters.map((
      { messageId, code, attempts, topic, recordKey },
    ) => [messageId, code, attempts, topic, recordKey]),
    [
      [7, "SHAKY", 2, "t", "k3"],
    ],
  );
  assert.equal(progressOf(shipment).open, 0);
});

Deno.test("Dispatcher keeps the partition that a dead letter's record names, if it names one", async () => {
  const { sink, letters, desk, dispatcher, shipmentOf } = setup();
  const partition = Int32Array.of(4, -1, 0);
  void dispatcher.offer(shipmentOf([1, 2, 3], { partition }));
  void dispatcher.offer(shipmentOf([4]));
  await turn();
  for (const { ids, answer } of sink.given) {
    const builder = new AnswerBuilder(ids.length);
    ids.forEach((_, i) => builder.reject(i, "UNKNOWN_PARTITION", "there is none"));
    answer(builder.build());
  }
  await dispatcher.drained();
  await desk.flush();
  assert.deepEqual(letters.map((letter) => letter.partition), [4, null, 0, null]);
});

Deno.test("Dispatcher runs again when its last record went to the dead letters", async () => {
  const { clock, sink, letters, states, dispatcher, shipmentOf } = setup(1);
  void dispatcher.offer(shipmentOf([7]));
  await turn();
  const answer = new AnswerBuilder(1);
  answer.fail(0, "SHAKY", "not this time");
  sink.given[0]!.answer(answer.build(unavailable("SHAKY", "not this time")));
  await clock.run(clock.sleep(500));
  await dispatcher.drained();
  assert.equal(letters.length, 1);
  assert.deepEqual(states, ["waiting", "running"]);
});

Deno.test("Dispatcher tries a blocked pipeline again slowly, and at once when poked", async () => {
  const { clock, sink, states, dispatcher, shipmentOf } = setup();
  void dispatcher.offer(shipmentOf([1]));
  await turn();
  sink.given[0]!.answer(faulted(misconfigured("TOPIC_MISSING", "no topic t", "Create it")));
  await clock.run(clock.sleep(LIMITS.blockedRetryMs - 1_000));
  assert.equal(sink.recoveries.length, 0);
  dispatcher.poke();
  await turn();
  assert.equal(sink.recoveries.length, 1);
  sink.given[1]!.answer(delivered(1));
  await turn();
  assert.deepEqual(states, ["blocked", "running"]);
  dispatcher.close();
});

Deno.test("Dispatcher ignores answers that come after it was closed", async () => {
  const { sink, dispatcher, shipmentOf } = setup();
  const shipment = shipmentOf([1]);
  void dispatcher.offer(shipment);
  await turn();
  dispatcher.close();
  sink.given[0]!.answer(delivered(1));
  await turn();
  assert.equal(shipment.open, 1);
});

Deno.test("Dispatcher reports an answer that breaks the contract instead of trusting it", async () => {
  const { sink, failures, dispatcher, shipmentOf } = setup();
  void dispatcher.offer(shipmentOf([1]));
  await turn();
  sink.given[0]!.answer({ delivered: Uint32Array.of(0, 1, 0, 1), rejected: [], failed: [] });
  await turn();
  assert.match(String(failures[0]), /a record gets one outcome/);
  dispatcher.close();
});

Deno.test("Dispatcher settles what a sink tells before its answer, once, and gives only the rest again", async () => {
  const { clock, sink, failures, dispatcher, shipmentOf } = setup();
  const shipment = shipmentOf([1, 2, 3, 4]);
  void dispatcher.offer(shipment);
  await turn();
  sink.given[0]!.tell(1);
  sink.given[0]!.tell(3);
  assert.deepEqual([shipment.open, progressOf(shipment).frontier()?.lastId], [1, 3]);
  sink.given[0]!.answer(faulted(unavailable("PLUGIN_FAILED", "the Worker died")));
  await clock.run(clock.sleep(2_000));
  assert.deepEqual(sink.given.map(({ ids }) => ids), [[1, 2, 3, 4], [4]]);
  sink.given[1]!.tell(0);
  sink.given[1]!.answer(delivered(1));
  await turn();
  assert.deepEqual([dispatcher.idle, failures], [true, []]);
});

Deno.test("Dispatcher takes an answer that repeats what was told before", async () => {
  const { sink, letters, failures, dispatcher, shipmentOf } = setup();
  const shipment = shipmentOf([1, 2, 3]);
  void dispatcher.offer(shipment);
  await turn();
  sink.given[0]!.tell(2);
  const answer = new AnswerBuilder(3);
  answer.deliver(0);
  answer.deliver(1);
  answer.reject(2, "POISON", "poison");
  sink.given[0]!.answer(answer.build());
  await turn();
  assert.deepEqual([shipment.open, failures], [0, []]);
  assert.deepEqual(letters.map(({ messageId }) => messageId), [3]);
});
