/**
 * A pipeline's configuration for Kafka, taken as the relay takes it: parsed with all rules, its references resolved, its sink
 * opened in a Worker with the grant that follows from it.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Fault, Json } from "../../plugins/sdk/mod.ts";
import { REGISTRY } from "../../plugins/registry.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import { ALLOW_ENV_DEFAULT, ALLOW_FILE_DEFAULT } from "../../src/config/interpolate.ts";
import { parsePipeline, resolvePipeline } from "../../src/config/pipeline.ts";
import { loadCatalog, parsePluginPolicy, SinkHost } from "../../src/host/mod.ts";
import { readTopic, textOf } from "./consume.ts";
import type { SharedKafka } from "./kafka.ts";
import { recordPage } from "./kafka_sink.ts";

/** A configuration as a user writes it. */
export type Configuration = Readonly<Record<string, Json>>;

/** What a configuration refers to, and what the relay's operator allows besides the default. */
export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** Texts by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** As the flags of these names say it. */
  readonly allowEnv?: readonly string[];
  readonly allowFile?: readonly string[];
  readonly pluginNet?: readonly string[];
}

/** Open the sink of a configuration. @throws {AssertionError} when the configuration has problems */
export async function openConfiguration(
  config: Configuration,
  { env = {}, files = {}, allowEnv = [], allowFile = [], pluginNet = [] }: Surroundings = {},
): Promise<{ readonly sink: SinkHost } | { readonly fault: Fault }> {
  const base = { clock: SYSTEM_CLOCK, log: SILENT };
  const catalog = await loadCatalog({ builtIn: REGISTRY, external: [], ...base });
  const parsed = parsePipeline(config, catalog.descriptions);
  assert.deepEqual(parsed.problems, []);
  const policy = {
    allowEnv: [...ALLOW_ENV_DEFAULT, ...allowEnv],
    allowFile: [...ALLOW_FILE_DEFAULT, ...allowFile],
  };
  const { values, problems } = await resolvePipeline(parsed.config!, policy, {
    env: (name) => env[name],
    readText: (path) =>
      files[path] === undefined
        ? Promise.reject(new Deno.errors.NotFound(path))
        : Promise.resolve(files[path]),
    realPath: (path) => Promise.resolve(path),
  });
  assert.deepEqual(problems, []);
  return await SinkHost.open({
    plugin: catalog.find("sink", "kafka")!,
    config: { pipeline: "p", outbox: "orders", fields: values!.sink },
    policy: parsePluginPolicy(pluginNet),
    ...base,
  });
}

/** Deliver a record by a configuration to the topic that it names, which is made for that, and read it back. */
export async function assertDelivers(
  kafka: SharedKafka,
  config: Configuration,
  surroundings?: Surroundings,
): Promise<void> {
  const topic = String(config["topic"]);
  await kafka.createTopic(topic, 1);
  try {
    const opened = await openConfiguration(config, surroundings);
    assert.ok("sink" in opened, JSON.stringify(opened));
    const value = crypto.randomUUID();
    const answer = await opened.sink.deliver(recordPage(topic, [{ key: "k", value }]), 1);
    await opened.sink.close();
    assert.deepEqual([[...answer.delivered], answer.fault], [[0, 1], undefined]);
    assert.deepEqual((await readTopic(kafka.brokers, topic)).map((record) => textOf(record).value), [value]);
  } finally {
    await kafka.deleteTopic(topic);
  }
}
