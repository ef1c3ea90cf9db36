import assert from "node:assert/strict";
import { type ExactJson, ExactNumber, parseExact } from "../../../src/base/exact_json.ts";
import { compileExpression, Run } from "../../../src/transform/expression.ts";
import { ExpressionError, parseExpression } from "../../../src/transform/parse.ts";
import { EvaluationError } from "../../../src/transform/value.ts";

const NO_MESSAGE = () => new Run(() => null);

function evaluate(expression: string, json: string): string {
  return JSON.stringify(compileExpression(expression)(parseExact(json), NO_MESSAGE()));
}

Deno.test("compileExpression() follows the specification", () => {
  const table: readonly [expression: string, json: string, result: string][] = [
    ["a.b.c", '{"a":{"b":{"c":1}}}', "1"],
    ["a.b", '{"a":null}', "null"],
    ["constructor", "{}", "null"],
    ['"__proto__".x', '{"__proto__":{"x":1}}', "1"],
    ['{"__proto__": a}', '{"a":1}', '{"__proto__":1}'],
    ["[-1]", "[1,2,3]", "3"],
    ["[5]", "[1]", "null"],
    ["[1:3]", "[0,1,2,3]", "[1,2]"],
    ["[::-1]", "[0,1,2]", "[2,1,0]"],
    ["[-2:]", "[0,1,2]", "[1,2]"],
    ["items[*].sku", '{"items":[{"sku":"a"},{},{"sku":"b"}]}', '["a","b"]'],
    ["items[].tags[]", '{"items":[{"tags":[1,2]},{"tags":[3]}]}', "[1,2,3]"],
    ["items[?qty > `1`].sku", '{"items":[{"sku":"a","qty":1},{"sku":"b","qty":2}]}', '["b"]'],
    ["*.n", '{"a":{"n":1},"b":{"n":2}}', "[1,2]"],
    ["a || b", '{"a":[],"b":2}', "2"],
    ["a || b", '{"a":0,"b":2}', "0"],
    ["a && b", '{"a":"","b":2}', '""'],
    ["!a", '{"a":0}', "false"],
    ["!a", '{"a":{}}', "true"],
    ["a == b", '{"a":{"x":[1,{"y":null}]},"b":{"x":[1.0,{"y":null}]}}', "true"],
    ["a != 'x'", '{"a":"x"}', "false"],
    ["a < b", '{"a":"x","b":"y"}', "null"],
    ["{id: a, rest: [b, @.c]}", '{"a":1,"b":2,"c":3}', '{"id":1,"rest":[2,3]}'],
    ["a.{x: b}", "{}", "null"],
    ["a[*].b | [0]", '{"a":[{"b":7}]}', "7"],
  ];
  for (const [expression, json, result] of table) {
    assert.equal(evaluate(expression, json), result, expression);
  }
});

Deno.test("compileExpression() offers JMESPath's functions", () => {
  const table: readonly [expression: string, json: string, result: string][] = [
    ["abs(@)", "-5", "5"],
    ["avg(@)", "[1,2]", "1.5"],
    ["avg(@)", "[]", "null"],
    ["ceil(@)", "1.2", "2"],
    ["floor(@)", "-1.2", "-2"],
    ["contains(@, 'b')", '["a","b"]', "true"],
    ['contains(@, `{"x":1}`)', '[{"x":1}]', "true"],
    ["contains(@, 'ell')", '"hello"', "true"],
    ["ends_with(@, 'lo')", '"hello"', "true"],
    ["join('-', @)", '["a","b"]', '"a-b"'],
    ["keys(@)", '{"a":1,"b":2}', '["a","b"]'],
    ["length(@)", '"a😀"', "2"],
    ["length(@)", '{"a":1}', "1"],
    ["map(&x, @)", '[{"x":1},{}]', "[1,null]"],
    ["max(@)", '["b","é","a"]', '"é"'],
    ["max_by(@, &n).k", '[{"k":1,"n":"a"},{"k":2,"n":"b"}]', "2"],
    ["merge(a, b)", '{"a":{"x":1,"y":1},"b":{"y":2}}', '{"x":1,"y":2}'],
    ["min(@)", "[3,1,2]", "1"],
    ["min_by(@, &n)", "[]", "null"],
    ["not_null(a, b)", '{"b":false}', "false"],
    ["reverse(@)", '"a😀"', '"😀a"'],
    ["sort(@)", "[10,9]", "[9,10]"],
    ["sort_by(@, &n)[*].k", '[{"k":1,"n":2},{"k":2,"n":1},{"k":3,"n":2}]', "[2,1,3]"],
    ["starts_with(@, 'he')", '"hello"', "true"],
    ["sum(@)", "[1,2]", "3"],
    ["to_array(@)", "1", "[1]"],
    ["to_number(@)", '"0x10"', "null"],
    ["to_number(@)", '"12345678901234567890"', "12345678901234567890"],
    ["to_string(@)", '{"a":10.00}', '"{\\"a\\":10.00}"'],
    ["type(@)", "10.00", '"number"'],
    ["values(@)", '{"a":1}', "[1]"],
  ];
  for (const [expression, json, result] of table) {
    assert.equal(evaluate(expression, json), result, expression);
  }
});

Deno.test("compileExpression() keeps numbers that a double cannot hold", () => {
  const json = '{"id":12345678901234567890,"price":10.00,"big":1e400,"neg":-12345678901234567890}';
  assert.equal(
    evaluate("{id: id, price: price, big: big}", json),
    '{"id":12345678901234567890,"price":10.00,"big":1e400}',
  );
  assert.equal(
    evaluate("[abs(neg), floor(id), max([id, price])]", json),
    "[12345678901234567890,12345678901234567890,12345678901234567890]",
  );
  assert.equal(evaluate("id > `5` && price == `10`", json), "true");
});

Deno.test("compileExpression() gives message() and evaluates it once at most", () => {
  let asked = 0;
  const describe = (): ExactJson => {
    asked++;
    return { op: "insert", headers: { tenant: "a" } };
  };
  const expression = compileExpression("message().op == 'insert' && message().headers.tenant == 'a'");
  assert.equal(expression({}, new Run(describe)), true);
  assert.equal(asked, 1);
});

Deno.test("compileExpression() throws on a message whose types do not fit", () => {
  const table: readonly [expression: string, json: string, message: RegExp][] = [
    ["sum(@)", '["a"]', /argument 1 of sum\(\) is another array, expected an array of numbers/],
    ["length(@)", "5", /argument 1 of length\(\) is number, expected an object/],
    ["sort_by(@, &n)", '[{"n":1},{"n":"a"}]', /is string, expected number/],
    ["avg(@)", "[1e308, 1e308]", /too large/],
    ["map(@, @)", "[1]", /expected an expression/],
  ];
  for (const [expression, json, message] of table) {
    assert.throws(
      () => evaluate(expression, json),
      (error) => error instanceof EvaluationError && message.test(error.message),
      expression,
    );
  }
});

Deno.test("compileExpression() bounds the work on one message", () => {
  const list = JSON.stringify(Array.from({ length: 200 }, (_, i) => i));
  // 200 ** 3 steps; the bound is a million.
  const expression = "map(&map(&map(&@, `LIST`), `LIST`), `LIST`)".replaceAll("LIST", list);
  const error = assertThrown(() => evaluate(expression, "{}"));
  assert.ok(error instanceof EvaluationError);
  assert.equal(error.code, "TRANSFORM_TOO_LARGE");
});

Deno.test("parseExpression() refuses what is not JMESPath and says where", () => {
  const table: readonly [expression: string, message: RegExp][] = [
    ["", /unexpected end of the expression/],
    ["total >", /unexpected end of the expression/],
    ["a = 1", /unexpected "=" at character 3: equality is "=="/],
    ["a === b", /unexpected "=" at character 5: equality is "=="/],
    ["a[#]", /unexpected "#" at character 3/],
    ["a[?b?]", /unexpected "\?" at character 5/],
    ["a.b]", /unexpected "\]" at character 4/],
    ["f(a b)", /unexpected "b" at character 5/],
    ["(a b)", /unexpected "b" at character 4/],
    ["[a b]", /unexpected "b" at character 4/],
    ["'abc", /the ' at character 1 is never closed/],
    ['a == "b', /the " at character 6 is never closed/],
    ["`{`", /the text in ` at character 1 is not JSON/],
    [String.raw`'it\'s \'x'`, /escapes its quote more than once/],
    ["[1:2:3:4]", /unexpected ":" at character 7/],
  ];
  for (const [expression, message] of table) {
    assert.throws(
      () => parseExpression(expression),
      (error) => error instanceof ExpressionError && message.test(error.message),
      expression,
    );
  }
});

Deno.test("compileExpression() refuses unknown functions, wrong numbers of arguments and missing parts", () => {
  const table: readonly [expression: string, message: RegExp][] = [
    ["nosuch(@)", /unknown function nosuch\(\)/],
    ["length()", /length\(\) has 0 arguments, expected 1/],
    ["merge()", /merge\(\) has 0 arguments, expected at least 1/],
    ["message(@)", /message\(\) takes no arguments/],
    ["foo.", /something is missing/],
    ["()", /something is missing/],
    ["&foo", /outside of a function's arguments/],
    ["a[0:1:0]", /step of 0/],
    ["(".repeat(8_000) + "a" + ")".repeat(8_000), /nests too deeply|unexpected/],
    ["a".repeat(20_000), /20000 characters, expected at most 16384/],
  ];
  for (const [expression, message] of table) {
    assert.throws(
      () => compileExpression(expression),
      (error) => error instanceof ExpressionError && message.test(error.message),
      expression.slice(0, 40),
    );
  }
});

Deno.test("parseExact() keeps the source of a number only where the double is written otherwise", () => {
  assert.deepEqual(parseExact('{"a":1.5,"b":"10.00","c":[99.99]}'), { a: 1.5, b: "10.00", c: [99.99] });
  assert.deepEqual(parseExact("[10.00]"), [new ExactNumber("10.00")]);
  assert.deepEqual(parseExact("[-0]"), [new ExactNumber("-0")]);
});

function assertThrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
}
