import assert from "node:assert/strict";
import { SecretKeeper } from "../../../src/base/secrets.ts";
import { redactor } from "../../../src/config/redact.ts";

Deno.test("SecretKeeper hides every secret it was ever given", () => {
  const keeper = new SecretKeeper(redactor);
  assert.equal(keeper.redact("first second"), "first second");
  keeper.add(["first"]);
  assert.equal(keeper.redact("first second"), "*** second");
  keeper.add(["second", "first", ""]);
  assert.equal(keeper.redact("first second"), "*** ***");
});
