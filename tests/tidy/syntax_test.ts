import assert from "node:assert/strict";
import { exportsOf, functionsOf, importsOf } from "./syntax.ts";

const file = (text: string) => ({ path: "src/a/b.ts", text });

Deno.test("importsOf() finds every way to name a module, and no text that looks like one", () => {
  const imports = importsOf(file(`// import x from "./comment.ts" — ü
import def, { a as b, type C } from "./static.ts";
import * as all from "npm_package";
import text from "./q.sql" with { type: "text" };
import type { T } from "./type.ts";
export { d as e } from "./re_export.ts";
export * from "./re_export_all.ts";
const text2 = 'import "./string.ts"';
const module = await import("./dynamic.ts");
const url = import.meta.resolve("./resolved.ts");
type Inline = import("./inline.ts").Inline;
`));
  const found = imports.map(({ specifier, names, line }) => [line, specifier, names.join()]);
  assert.deepEqual(found.toSorted((one, other) => Number(one[0]) - Number(other[0])), [
    [2, "./static.ts", "default,a,C"],
    [3, "npm_package", "*"],
    [4, "./q.sql", "default"],
    [5, "./type.ts", "T"],
    [6, "./re_export.ts", "d"],
    [7, "./re_export_all.ts", "*"],
    [9, "./dynamic.ts", "*"],
    [10, "./resolved.ts", ""],
    [11, "./inline.ts", "*"],
  ]);
  assert.deepEqual(imports.filter(({ url }) => url).map(({ specifier }) => specifier), ["./resolved.ts"]);
});

Deno.test("functionsOf() names functions and counts their lines", () => {
  const functions = functionsOf(file(`function outer() {
  const inner = () => 1;
  return inner;
}
class K {
  #p() {
  }
  get g() { return 1; }
}
f(function () {
});
`));
  assert.deepEqual(functions.map(({ name, line, lines }) => `${name} ${line} ${lines}`), [
    "outer 1 4",
    "inner 2 1",
    "K.#p 6 2",
    "K.g 8 1",
    "(anonymous) 10 2",
  ]);
});

Deno.test("exportsOf() tells documented declarations from others", () => {
  const exported = exportsOf(file(`/** Yes. */
export const A = 1, B = 2;
// No.
export function f() {}
/** Yes. */
export interface I {}
export type { T } from "./t.ts";
const hidden = 1;
`));
  assert.deepEqual(exported.map(({ name, documented }) => [name, documented]), [
    ["A", true],
    ["B", true],
    ["f", false],
    ["I", true],
  ]);
});
