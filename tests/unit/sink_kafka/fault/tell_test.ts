import assert from "node:assert/strict";
import { tell } from "../../../../plugins/sink_kafka/fault/tell.ts";

Deno.test("tell() gathers what an error and its causes say, once, and ends at circles", () => {
  const inner = Object.assign(new Error("inner."), { code: "E_INNER" });
  const outer: Error & { errors?: unknown[] } = new Error("outer", { cause: inner });
  outer.errors = [inner, { apiId: "SOME_API_ERROR", message: "inner." }, outer];
  const { codes, text } = tell(outer);
  assert.equal(text, "outer: inner");
  assert.ok(codes.includes("E_INNER") && codes.includes("SOME_API_ERROR"));
});
