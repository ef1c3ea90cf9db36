import assert from "node:assert/strict";
import { compileTemplate, isProblem } from "../../../src/route/template.ts";

Deno.test("compileTemplate() reads texts, variables, paths, defaults and doubled braces", () => {
  assert.deepEqual(compileTemplate("topic", "a.{op}.{{x}}{payload.items.0.sku|none}{header.x.y}"), {
    parts: [
      { kind: "text", text: "a." },
      { kind: "variable", variable: "op", path: [], fallback: null },
      { kind: "text", text: ".{x}" },
      { kind: "variable", variable: "payload", path: ["items", "0", "sku"], fallback: "none" },
      { kind: "variable", variable: "header", path: ["x.y"], fallback: null },
    ],
  });
  assert.deepEqual(compileTemplate("topic", ""), { parts: [] });
});

Deno.test("compileTemplate() says what is wrong and where", () => {
  const table: readonly [template: string, message: string | RegExp][] = [
    [
      "{outbxo}",
      'Cannot use topic: "{outbxo}" has the unknown variable {outbxo} (did you mean {outbox}?), expected one of ' +
      "{stream_table}, {outbox}, {op}, {outbox_id}, {dedup_key}, {event_type}, {header.NAME}, {payload.path}",
    ],
    ["{}", /has the unknown variable \{\}/],
    ["a}", /has a single "}" at character 2, expected "}}"/],
    ["😀{op", /has a single "{" at character 3, expected "{{"/],
    ["{op.x}", /asks for \{op\.x\}, expected \{op\}/],
    ["{payload}", /names nothing in \{payload\.…\}, expected \{payload\.path\}/],
    ["{payload.a..b}", /names nothing/],
    ["{header.}", /expected \{header\.NAME\}/],
  ];
  for (const [template, message] of table) {
    const problem = compileTemplate("topic", template);
    assert.ok(isProblem(problem), template);
    assert.equal(problem.field, "topic");
    if (typeof message === "string") assert.equal(problem.message, message);
    else assert.match(problem.message, message);
  }
});

Deno.test("compileTemplate() knows the variables it is given only", () => {
  assert.ok(isProblem(compileTemplate("topic", "{payload.a}", ["op"])));
  assert.ok(!isProblem(compileTemplate("topic", "{op}", ["op"])));
});
