import { strict as assert } from "node:assert";
import { parseArguments } from "../../soak/arguments.ts";

Deno.test("parseArguments() takes ten minutes, the first seed and own servers by default", () => {
  assert.deepEqual(parseArguments([]), { options: { minutes: 10, seed: 1, json: false } });
});

Deno.test("parseArguments() takes every option", () => {
  const args = ["--minutes", "0.5", "--rounds", "3", "--seed=0", "--brokers", "h:9092", "--json"];
  const url = "postgresql://u:p@h/d";
  assert.deepEqual(parseArguments([...args, "--postgres-url", url]), {
    options: { minutes: 0.5, rounds: 3, seed: 0, brokers: "h:9092", json: true, postgresUrl: url },
  });
});

for (
  const [args, expected] of [
    [["--minutes", "0"], /Expected a number above 0, at most 10080/],
    [["--minutes", "1e9"], /Expected a number above 0/],
    [["--rounds", "0"], /Expected a whole number from 1 to 999999/],
    [["--seed", "-1"], /Expected a whole number from 0 to 4294967295/],
    [["--seed", "4294967296"], /Expected a whole number from 0 to 4294967295/],
    [["--brokers", "a:1,b:2"], /Expected host:port, such as/],
    [["--postgres-url", "localhost"], /Expected a URL such as postgresql:/],
    [["--minute", "1"], /unknown option '--minute'\n\(Did you mean --minutes\?\)/],
    [["long"], /too many arguments/],
  ] as const
) {
  Deno.test(`parseArguments() refuses ${args.join(" ")}`, () => {
    const parsed = parseArguments(args);
    assert.ok("text" in parsed);
    assert.equal(parsed.exitCode, 2);
    assert.match(parsed.text, expected);
    assert.match(parsed.text, /Run deno task soak --help/);
  });
}

Deno.test("parseArguments() shows help on request, which says what the exit codes mean", () => {
  const parsed = parseArguments(["--help"]);
  assert.ok("text" in parsed);
  assert.equal(parsed.exitCode, 0);
  assert.match(parsed.text, /Exit codes: 0 every promise was kept, 1 one was broken/);
});
