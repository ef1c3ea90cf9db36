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
  assert.equal(redact("nothing"), "nothing");
});

Deno.test("redactor() hides a short secret where it stands alone", () => {
  const redact = redactor(["abc"]);
  assert.equal(redact("password abc, not abcd or xabc: (abc)"), "password ***, not abcd or xabc: (***)");
});
