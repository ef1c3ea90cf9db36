/**
 * Each key of the configuration, by what it does at the broker: one step per row of the page's "Configuration Reference" and per
 * further key.
 */

import { CONNECTION_KEYS } from "./keys/connection_keys.ts";
import { RELAY_KEYS } from "./keys/relay_keys.ts";
import { RECORD_KEYS } from "./keys/record_keys.ts";
import { REQUEST_KEYS } from "./keys/request_keys.ts";
import { Stand } from "./keys/stand.ts";

Deno.test("each key of the Kafka sink does at the broker what it says", async (t) => {
  await using stand = await Stand.start();
  for (
    const [key, prove] of Object.entries({
      ...RECORD_KEYS,
      ...REQUEST_KEYS,
      ...CONNECTION_KEYS,
      ...RELAY_KEYS,
    })
  ) {
    await t.step(key, () => prove(stand));
  }
});
