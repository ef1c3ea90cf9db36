/**
 * Makes plugins out of texts, for tests.
 *
 * @module
 */

import { join } from "node:path";
import {
  type Answer,
  columnOf,
  encodeHeaders,
  type Fault,
  type Json,
  type MessagePage,
  nullColumn,
  type RecordPage,
} from "../../plugins/sdk/mod.ts";
import { type Clock, SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import {
  type KnownPlugin,
  loadExternal,
  parsePluginPolicy,
  parsePluginReference,
  type PluginSessionOptions,
  SinkHost,
} from "../../src/host/mod.ts";

/** A clock on which waits take a twentieth of their time. */
export const FAST_CLOCK: Clock = {
  ...SYSTEM_CLOCK,
  sleep: (ms, signal) => SYSTEM_CLOCK.sleep(ms / 20, signal),
};

/** How a plugin is opened. */
export interface OpeningOptions {
  readonly fields?: Readonly<Record<string, Json>>;
  readonly pluginNet?: readonly string[];
  readonly clock?: Clock;
}

/** Load a plugin from its source. */
export async function knownPlugin(name: string, source: string, clock = SYSTEM_CLOCK): Promise<KnownPlugin> {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, `${name}.js`);
    await Deno.writeTextFile(file, source);
    return await loadExternal(parsePluginReference(`${name}=file:${file}`), { clock, log: SILENT });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What it takes to open a plugin. */
export function sessionOptions(plugin: KnownPlugin, options: OpeningOptions = {}): PluginSessionOptions {
  return {
    plugin,
    config: { pipeline: "p", outbox: "orders", fields: options.fields ?? {} },
    policy: parsePluginPolicy(options.pluginNet ?? []),
    clock: options.clock ?? SYSTEM_CLOCK,
    log: SILENT,
  };
}

/** The source of a sink with this `open`. */
export function sinkSource(name: string, open: string, description = "fields: [], permissions: {}"): string {
  return `import * as sdk from "@pg-tide/sdk";
sdk.defineSink({ name: ${JSON.stringify(name)}, summary: "", ${description}, ${open} });`;
}

/** The source of a sink whose pages get this body, with \`page\`, \`generation\` and \`progress\` at hand. */
export function delivering(name: string, body: string): string {
  return sinkSource(
    name,
    `open: async () => ({ deliver: async (page, generation, progress) => { ${body} }, close: async () => {} })`,
  );
}

/** Open a sink from its source. */
export async function openSink(
  name: string,
  source: string,
  options: OpeningOptions = {},
): Promise<{ readonly sink: SinkHost } | { readonly fault: Fault }> {
  return await SinkHost.open(sessionOptions(await knownPlugin(name, source, options.clock), options));
}

/** Open a sink that must open. */
export async function openedSink(
  name: string,
  source: string,
  options: OpeningOptions = {},
): Promise<SinkHost> {
  const opened = await openSink(name, source, options);
  if ("fault" in opened) throw new Error(`The sink does not open: ${JSON.stringify(opened.fault)}`);
  return opened.sink;
}

/** A page of records with rising ids. */
export function records(count: number): RecordPage {
  const texts = (text: string) => columnOf(Array.from({ length: count }, (_, i) => text + i));
  return {
    count,
    ids: Float64Array.from({ length: count }, (_, i) => i + 1),
    createdMs: new Float64Array(count),
    topics: ["t"],
    topic: new Uint16Array(count),
    key: texts("key"),
    value: texts("value"),
    headers: columnOf(Array.from({ length: count }, () => encodeHeaders([["a", "b"]]))),
  };
}

/** A page of messages with rising ids. */
export function messages(count: number): MessagePage {
  const { value, ...rest } = records(count);
  return {
    ...rest,
    ops: new Uint8Array(count),
    payload: value,
    previous: nullColumn(count),
    dedupKey: nullColumn(count),
  };
}

/** The reason of an answer's fault. */
export function reasonOf({ fault }: Answer): string {
  return fault !== undefined && fault.kind !== "hosts" ? `${fault.code}: ${fault.reason}` : "no reason";
}
