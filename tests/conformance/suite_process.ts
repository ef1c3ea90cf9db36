/**
 * Runs the conformance suite over a built-in plugin: `suite_process.ts KIND NAME FIELDS TOPIC`. The results go to standard error as
 * JSON, because standard output may be where the plugin delivers.
 *
 * @module
 */

// deno-lint-ignore-file no-console -- a program of its own

import { REGISTRY } from "../../plugins/registry.ts";
import { FORMAT_CASES, PARTITION_CASES, SINK_CASES } from "../../plugins/sdk/conformance.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import { FormatHost, loadCatalog, parsePluginPolicy, SinkHost } from "../../src/host/mod.ts";

const [kind, name, fields, topic] = Deno.args;
const base = { clock: SYSTEM_CLOCK, log: SILENT };
const catalog = await loadCatalog({ builtIn: REGISTRY, external: [], ...base });
const plugin = catalog.find(kind === "format" ? "format" : "sink", name!)!;
const config = { pipeline: "conformance", outbox: "conformance", fields: JSON.parse(fields ?? "{}") };
const options = { plugin, config, policy: parsePluginPolicy([]), ...base };

async function openSink() {
  const opened = await SinkHost.open(options);
  if ("fault" in opened) throw new Error(JSON.stringify(opened.fault));
  return opened.sink;
}

async function openFormat() {
  const opened = await FormatHost.open(options);
  if ("fault" in opened) throw new Error(JSON.stringify(opened.fault));
  return opened.format;
}

const runs = kind === "format"
  ? Object.entries(FORMAT_CASES).map(([title, run]) => [title, () => run({ open: openFormat })] as const)
  : Object.entries({ ...SINK_CASES, ...PARTITION_CASES }).map(([title, run]) =>
    [title, () => run({ topic: topic!, open: openSink })] as const
  );

const results: Record<string, string> = {};
for (const [title, run] of runs) results[title] = await run().then(() => "ok", messageOf);
console.error(JSON.stringify(results));
