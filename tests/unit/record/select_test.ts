import { columnOf, textAt } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { selectColumn, selectRows } from "../../../src/record/select.ts";
import { pageOf } from "../../support/pages.ts";

Deno.test("selectColumn() takes values in the order that is asked for, NULL as well, without copying bytes", () => {
  const column = columnOf(["a", null, "c"]);
  const selected = selectColumn(column, Uint32Array.of(2, 1, 2));
  assert.deepEqual([0, 1, 2].map((i) => textAt(selected, i)), ["c", null, "c"]);
  assert.equal(selected.bytes, column.bytes);
});

Deno.test("selectRows() takes every column of those rows", () => {
  const page = { ...pageOf([5, 6, 7]), ops: Uint8Array.of(0, 1, 2) };
  const { count, ids, createdMs, ops, payload, dedupKey } = selectRows(page, Uint32Array.of(0, 2));
  assert.equal(count, 2);
  assert.deepEqual([[...ids], [...ops]], [[5, 7], [0, 2]]);
  assert.deepEqual([...createdMs], [page.createdMs[0], page.createdMs[2]]);
  assert.deepEqual([textAt(payload, 1), textAt(dedupKey, 1)], [`{"id":7}`, "k3"]);
});

Deno.test("selectRows() takes what is particular about dead letters, where there is any", () => {
  const rows = Uint32Array.of(2, 0);
  assert.equal("resent" in selectRows(pageOf([5, 6, 7]), rows), false);
  const resent = { incarnations: ["a", "b", "c"], retries: Uint32Array.of(1, 2, 3) };
  const selected = selectRows({ ...pageOf([7, 5, 6]), resent }, rows);
  assert.deepEqual(selected.resent, { incarnations: ["c", "a"], retries: Uint32Array.of(3, 1) });
});
