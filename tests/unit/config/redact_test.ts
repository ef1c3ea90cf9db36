import assert from "node:assert/strict";
import { redactor, redactUrls } from "../../../src/config/redact.ts";

Deno.test("redactUrls() hides passwords in URLs and parameters, and nothing else", () => {
  const table: readonly [text: string, wanted: string][] = [
    ["postgresql://user:pw@host:5432/db", "postgresql://user:***@host:5432/db"],
    ["postgresql://user:p@ss/w:rd@host/db", "postgresql://user:***@host/db"],
    ["at postgres://:pw@h and http://a:b@c", "at postgres://:***@h and http://a:***@c"],
    ['{"url":"https://u:p@h/x","mail":"a@b"}', '{"url":"https://u:***@h/x","mail":"a@b"}'],
    ["host=h password=hunter2 user=u", "host=h password=*** user=u"],
    ["https://h/x?token=abc&n=1", "https://h/x?token=***&n=1"],
    ["postgresql://host:5432/db?x=1", "postgresql://host:5432/db?x=1"],
    ["postgresql://user@host:5432/db", "postgresql://user@host:5432/db"],
  ];
  for (const [text, wanted] of table) assert.equal(redactUrls(text), wanted);
});

Deno.test("redactor() hides every secret in every spelling", () => {
  const redact = redactor(["p@ss w/$^rd", "p@ss", 'quo"te\n', ""]);
  assert.equal(redact("is p@ss w/$^rd here"), "is *** here");
  assert.equal(redact(encodeURIComponent("p@ss w/$^rd")), "***");
  assert.equal(redact(new URLSearchParams({ x: "p@ss w/$^rd" }).toString()), "x=***");
  assert.equal(redact(JSON.stringify({ x: 'quo"te\n' })), '{"x":"***"}');
  assert.equal(redact(JSON.stringify(JSON.stringify({ x: 'quo"te\n' }))), '"{\\"x\\":\\"***\\"}"');
  assert.equal(redact("nothing"), "nothing");
});

Deno.test("redactor() hides secrets in base64, whatever stands before them", () => {
  const secret = "s3cret: é%+ ??>>";
  const redact = redactor([secret]);
  for (const before of ["", "a", "ab", "relay:"]) {
    for (const encode of [(text: string) => text, encodeURIComponent]) {
      const bytes = new TextEncoder().encode(
        `${encode(before)}${new URLSearchParams({ "": secret }).toString().slice(1)}`,
      );
      for (const alphabet of ["base64", "base64url"] as const) {
        const told = redact(`Basic ${bytes.toBase64({ alphabet })}`);
        assert.match(told, /^Basic \S*\*\*\*\S{0,4}$/, told);
      }
    }
    const plain = new TextEncoder().encode(before + secret).toBase64();
    assert.match(redact(plain), /^\S*\*\*\*\S{0,4}$/);
  }
});

Deno.test("redactor() hides what a file holds without its line end, and in one line", () => {
  const redact = redactor(["first line\r\nsecond line\n"]);
  assert.equal(redact("is first line\r\nsecond line."), "is ***.");
  assert.equal(redact("is first line second line."), "is ***.");
  assert.equal(redact(encodeURIComponent("first line\r\nsecond line")), "***");
});

Deno.test("redactor() hides long secrets, however many there are", () => {
  const keys = Array.from(
    { length: 200 },
    (_, i) => `-----BEGIN PRIVATE KEY-----\n${`${i}key+/`.repeat(300)}\n`,
  );
  const redact = redactor([...keys, "hunter2"]);
  assert.equal(redact(`a ${keys[7]}b ${keys[199]!.trim()} c hunter2`), "a ***b *** c ***");
  assert.equal(redact(JSON.stringify({ key: keys[42] })), '{"key":"***"}');
  assert.equal(redactor([keys[0]!])(`only ${keys[0]}`), "only ***");
});

Deno.test("redactor() hides a short secret where it stands alone", () => {
  const redact = redactor(["abc"]);
  assert.equal(redact("password abc, not abcd or xabc: (abc)"), "password ***, not abcd or xabc: (***)");
});
