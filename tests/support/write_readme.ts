/**
 * `deno task readme`: writes the generated sections of README.md.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a command line program

import { README, withSections } from "./readme.ts";
import { readmeSections } from "./readme_sections.ts";

if (import.meta.main) {
  const before = await Deno.readTextFile(README);
  const after = withSections(before, readmeSections());
  if (after !== before) await Deno.writeTextFile(README, after);
  console.log(after === before ? "README.md is up to date" : "README.md is written");
}
