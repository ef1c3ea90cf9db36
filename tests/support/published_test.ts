import { strict as assert } from "node:assert";
import { Published, Received } from "./published.ts";

/** Three messages: 0 committed before 1 was started, 2 was rolled back. */
function facts(): Published {
  const published = new Published();
  published.commit([published.start("k", 1)]);
  const second = published.start("k", 2);
  published.start();
  published.commit([second]);
  return published;
}

function problems(received: readonly number[]): string[] {
  const reader = new Received(facts());
  for (const message of received) reader.add(message);
  return reader.problems();
}

Deno.test("Received finds what is lost, came twice, came without a commit, and came out of order", () => {
  assert.deepEqual(problems([0, 1]), []);
  assert.deepEqual(problems([0]), ["message 1 was lost"]);
  assert.deepEqual(problems([0, 1, 1]), ["message 1 came 2 times"]);
  assert.deepEqual(problems([0, 1, 2]), ["message 2 came although its transaction rolled back"]);
  assert.deepEqual(problems([1, 0]), [
    "message 0 came after one that was published when it had committed",
    "turn 1 of k came after turn 2",
  ]);
});

Deno.test("Received takes a message whose commit is not acknowledged yet in any place", () => {
  const published = new Published();
  const [early, late] = [published.start(), published.start()];
  const reader = new Received(published);
  reader.add(late);
  reader.add(early);
  published.commit([early, late]);
  assert.deepEqual(reader.problems(), []);
});
