import assert from "node:assert/strict";
import { ProgressPost } from "../../../plugins/sdk/progress_post.ts";
import type { PluginMessage } from "../../../plugins/sdk/protocol.ts";

/** What was posted until something was. */
function collect() {
  const posted: PluginMessage[] = [];
  const first = Promise.withResolvers<void>();
  const post = new ProgressPost((message) => {
    posted.push(message);
    first.resolve();
  });
  return { post, posted, first: first.promise };
}

Deno.test("ProgressPost sends the newest count of each page, together, and never a lower one", async () => {
  const { post, posted, first } = collect();
  post.tell(7, 1);
  post.tell(8, 5);
  post.tell(7, 3);
  post.tell(7, 2);
  assert.deepEqual(posted, [], "not at once");
  await first;
  assert.deepEqual(posted, [{ t: "progress", n: 7, delivered: 3 }, { t: "progress", n: 8, delivered: 5 }]);
  post.tell(7, 3);
  post.end(7);
  post.end(8);
});

Deno.test("ProgressPost sends nothing about a page that has its answer", async () => {
  const { post, posted, first } = collect();
  post.tell(1, 10);
  post.tell(2, 20);
  post.end(1);
  await first;
  assert.deepEqual(posted, [{ t: "progress", n: 2, delivered: 20 }]);
});

Deno.test("ProgressPost leaves no timer behind when all pages have their answers", () => {
  const { post } = collect();
  post.tell(1, 10);
  post.end(1);
});
