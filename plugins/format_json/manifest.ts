/**
 * The JSON format as data.
 *
 * @module
 */

import { CONTRACT_VERSION, type PluginDescription } from "@pg-tide/sdk";

/** What the kernel reads without starting the format. */
export const MANIFEST: PluginDescription = {
  name: "json",
  kind: "format",
  contract: CONTRACT_VERSION,
  summary: "The payload as JSON, bare or in an envelope that says where it comes from",
  fields: [
    {
      name: "envelope",
      type: "string",
      values: ["none", "pg_tide"],
      default: "none",
      doc:
        'What the payload stands in: nothing ("none": the value is the payload as it is stored), or an object with ' +
        '`outbox`, `id`, `op`, `created_at`, `dedup_key`, `headers`, `payload` and `previous` ("pg_tide").',
      examples: ["pg_tide"],
    },
  ],
  permissions: {},
  identity: { envelope: "none" },
};
