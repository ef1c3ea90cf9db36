/**
 * Templates are compiled by the relay and checked by the database when a pipeline is configured: both find the same ones wrong.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { compileTemplate, isProblem } from "../../../src/route/template.ts";
import { tideTest } from "../../support/tide_database.ts";

const KNOWN = [
  "orders",
  "orders.{op}",
  "{stream_table}.{outbox}.{op}.{outbox_id}.{dedup_key}.{event_type}",
  "{header.tenant.id}-{payload.items.0.sku|none}",
  "{{literal}} {op|}",
  "{opp}",
  "{}",
  "{op",
  "op}",
  "{{op}",
  "{op.x}",
  "{header}",
  "{header.}",
  "{payload}",
  "{payload.a..b}",
  "{payload.}",
  "{|x}",
  "a\n{op}\n{nothing}",
  "{Op}",
];

/** Texts that are nearly templates. */
const NEARLY = fc.array(
  fc.constantFrom(
    "{",
    "}",
    "{{",
    "}}",
    "op",
    "payload",
    "header",
    ".",
    "|",
    "x",
    "é",
    "\n",
    "{op}",
    "{payload.a}",
  ),
  { maxLength: 8 },
).map((parts) => parts.join(""));

tideTest("a template is wrong in the database exactly when it is for the relay", async ({ sql }) => {
  const texts = [...KNOWN, ...fc.sample(NEARLY, { numRuns: 2_000, seed: 7 })];
  const rows = await sql<{ problem: string | null }[]>`
    SELECT tide.template_problem(t) AS problem FROM jsonb_array_elements_text(${
    sql.json(texts)
  }) WITH ORDINALITY e (t, n)
    ORDER BY n`;
  for (const [i, text] of texts.entries()) {
    const compiled = compileTemplate("topic", text);
    assert.equal(
      rows[i]!.problem !== null,
      isProblem(compiled),
      `${JSON.stringify(text)}: ${rows[i]!.problem}`,
    );
  }
  assert.ok(rows.some(({ problem }) => problem === null) && rows.some(({ problem }) => problem !== null));
});

tideTest(
  "an unknown variable is refused when a pipeline is configured, with the nearest known one",
  async ({ sql }) => {
    await sql`SELECT tide.outbox_create('orders')`;
    const config = {
      sink_type: "kafka",
      brokers: "localhost:9092",
      topic: "orders.{opp}",
      message_key: "{dedup_kex}",
    };
    await assert.rejects(
      () => sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', ${sql.json(config)})`,
      ({ code, detail }: { code: string; detail: string }) => {
        assert.equal(code, "TD021");
        assert.match(
          detail,
          /topic: has the unknown variable \{opp\} \(did you mean op\?\), expected one of \{stream_table\}/,
        );
        assert.match(
          detail,
          /message_key: has the unknown variable \{dedup_kex\} \(did you mean dedup_key\?\)/,
        );
        return true;
      },
    );
  },
);

tideTest(
  "a partition that can never be a number is refused when a pipeline is configured",
  async ({ sql }) => {
    await sql`SELECT tide.outbox_create('orders')`;
    const set = (config: Record<string, string>) =>
      sql`SELECT tide.relay_set_outbox('p', 'orders', 'g', ${sql.json({ sink_type: "stdout", ...config })})`;
    await set({ partition: "{payload.shard|0}" });
    for (const partition of ["shard-{payload.shard}", "{payload.shard|none}", "{{0}}"]) {
      await assert.rejects(() => set({ partition }), {
        code: "TD021",
        detail: `partition: is "${partition}", expected digits and variables, such as "{payload.shard}" or ` +
          '"{payload.shard|0}"',
      });
    }
    await assert.rejects(() => set({ partition: "{shard}" }), {
      detail: /^partition: has the unknown variable \{shard\}/,
    });
  },
);
