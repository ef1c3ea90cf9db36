/**
 * The stdout sink as data.
 *
 * @module
 */

import { CONTRACT_VERSION, type PluginDescription } from "@pg-tide/sdk";

/** What the kernel reads without starting the sink. */
export const MANIFEST: PluginDescription = {
  name: "stdout",
  kind: "sink",
  contract: CONTRACT_VERSION,
  summary: "One JSON line per record on standard output, for trying a pipeline out",
  fields: [],
  permissions: {},
  partitions: true,
};
