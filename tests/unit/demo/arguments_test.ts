import { strict as assert } from "node:assert";
import { parseArguments } from "../../demo/arguments.ts";

Deno.test("parseArguments() takes 10,000 messages and own servers by default", () => {
  assert.deepEqual(parseArguments([]), { options: { messages: 10_000, json: false } });
});

Deno.test("parseArguments() takes every option", () => {
  const args = [
    "--postgres-url",
    "postgresql://u:p@h/d",
    "--brokers",
    "a:1, b:2",
    "--messages=2000",
    "--json",
  ];
  const options = { postgresUrl: "postgresql://u:p@h/d", brokers: "a:1,b:2", messages: 2000, json: true };
  assert.deepEqual(parseArguments(args), { options });
});

for (
  const [args, expected] of [
    [
      ["--messages", "many"],
      /'--messages <number>' argument 'many' is invalid. Expected a whole number from 500/,
    ],
    [["--messages", "499"], /Expected a whole number from 500 to 500000/],
    [["--messages", "500001"], /Expected a whole number/],
    [["--messages", "1e3"], /Expected a whole number/],
    [["--brokers", "localhost"], /Expected host:port/],
    [["--postgres-url", "localhost"], /Expected a URL such as postgresql:/],
    [["--message", "1"], /unknown option '--message'\n\(Did you mean --messages\?\)/],
    [["fast"], /too many arguments/],
  ] as const
) {
  Deno.test(`parseArguments() refuses ${args.join(" ")}`, () => {
    const parsed = parseArguments(args);
    assert.ok("text" in parsed);
    assert.equal(parsed.exitCode, 2);
    assert.match(parsed.text, expected);
    assert.match(parsed.text, /Run deno task demo --help/);
  });
}

Deno.test("parseArguments() explains the figures and exit codes", () => {
  const parsed = parseArguments(["--help"]);
  assert.ok("text" in parsed);
  assert.equal(parsed.exitCode, 0);
  for (const word of ["--postgres-url", "--brokers", "--messages", "--json", "msg_per_s", "Exit codes"]) {
    assert.ok(parsed.text.includes(word), word);
  }
});
