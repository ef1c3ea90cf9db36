/**
 * The Kafka sink as the relay runs it: in its Worker, with its grant, fed by the relay's own dispatcher.
 *
 * @module
 */

import {
  columnOf,
  encodeHeaders,
  type Fault,
  type Header,
  type Json,
  nullColumn,
  type PluginConfig,
  type RecordPage,
} from "../../plugins/sdk/mod.ts";
import { REGISTRY } from "../../plugins/registry.ts";
import { MANIFEST } from "../../plugins/sink_kafka/manifest.ts";
import type { Clock as SinkClock } from "../../plugins/sink_kafka/clock.ts";
import { openSink } from "../../plugins/sink_kafka/sink.ts";
import { type Clock, SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { SILENT } from "../../src/base/telemetry.ts";
import { DeadLetterDesk } from "../../src/deliver/dead_letter_desk.ts";
import { Dispatcher } from "../../src/deliver/dispatcher.ts";
import type { Sink } from "../../src/deliver/mod.ts";
import { type Consignment, Shipment } from "../../src/deliver/shipment.ts";
import { loadCatalog, parsePluginPolicy, SinkHost } from "../../src/host/mod.ts";
import type { DeadLetter } from "../../src/record/dead_letter.ts";
import type { DeliveryState } from "../../src/record/state.ts";
import { PageProgress } from "../../src/record/progress.ts";
import { windowOf } from "./pages.ts";

/** A record to be sent. */
export interface RecordDraft {
  readonly key?: string | Uint8Array | null;
  readonly value?: string | Uint8Array | null;
  readonly headers?: readonly Header[];
  readonly topic?: string;
  /** The partition that it names, if it does. */
  readonly partition?: number;
  readonly createdMs?: number;
}

/** When records were published that do not say: now, because a topic deletes what is older than its retention, also on arrival. */
export const CREATED_MS = Date.now();

/** A page of records to `topic`, unless they name another. @param firstId ids rise from here */
export function recordPage(topic: string, drafts: readonly RecordDraft[], firstId = 1): RecordPage {
  const topics = [...new Set(drafts.map((draft) => draft.topic ?? topic))];
  const named = drafts.some(({ partition }) => partition !== undefined);
  return {
    count: drafts.length,
    ids: Float64Array.from(drafts, (_, i) => firstId + i),
    createdMs: Float64Array.from(drafts, ({ createdMs }) => createdMs ?? CREATED_MS),
    topics,
    topic: Uint16Array.from(drafts, (draft) => topics.indexOf(draft.topic ?? topic)),
    ...(named ? { partition: Int32Array.from(drafts, ({ partition }) => partition ?? -1) } : {}),
    key: columnOf(drafts.map(({ key }) => key ?? null)),
    value: columnOf(drafts.map(({ value }) => value ?? null)),
    headers: columnOf(drafts.map(({ headers }) => encodeHeaders(headers ?? []))),
  };
}

/** A configuration of the sink: defaults, and these fields. */
export function kafkaConfig(fields: Readonly<Record<string, Json>>): PluginConfig {
  const defaults = MANIFEST.fields.map((field): [string, Json] => [field.name, field.default ?? null]);
  return { pipeline: "p", outbox: "orders", fields: { ...Object.fromEntries(defaults), ...fields } };
}

/** Start and open the sink as the relay does. @param pluginNet what its operator allows, as `--plugin-net` says it */
export async function startKafkaSink(
  fields: Readonly<Record<string, Json>>,
  pluginNet: readonly string[] = [],
): Promise<{ readonly sink: SinkHost } | { readonly fault: Fault }> {
  const base = { clock: SYSTEM_CLOCK, log: SILENT };
  const catalog = await loadCatalog({ builtIn: REGISTRY, external: [], ...base });
  const plugin = catalog.find("sink", "kafka")!;
  const policy = parsePluginPolicy(pluginNet);
  return await SinkHost.open({ plugin, config: kafkaConfig(fields), policy, ...base });
}

/** Like {@link startKafkaSink}. @throws Error when it cannot work now */
export async function openKafkaSink(fields: Readonly<Record<string, Json>>): Promise<SinkHost> {
  const opened = await startKafkaSink(fields);
  if ("fault" in opened) throw new Error(`The sink does not open: ${JSON.stringify(opened.fault)}`);
  return opened.sink;
}

/** A sink that was opened for a test. */
export type TestSink = Sink & { close(): Promise<void> };

/** Open the sink's object in this process, without a Worker. */
export async function openInProcess(
  fields: Readonly<Record<string, Json>>,
  clock?: SinkClock,
): Promise<TestSink> {
  const sink = await openSink(kafkaConfig(fields), clock);
  return {
    pagesInFlight: sink.opened.pagesInFlight!,
    deliver: (page, generation) => sink.deliver(page, generation),
    recover: () => Promise.resolve(null),
    close: () => sink.close(),
  };
}

/** Hands pages to a sink through the relay's dispatcher, with short waits after a fault. */
export class Delivery implements AsyncDisposable {
  /** What went to the dead letters. */
  readonly letters: DeadLetter[] = [];
  /** The states that the pipeline went through. */
  readonly states: DeliveryState[] = [];
  readonly #sink: TestSink;
  readonly #desk: DeadLetterDesk;
  readonly #dispatcher: Dispatcher;
  readonly #failed = Promise.withResolvers<never>();
  #nextId = 1;

  constructor(sink: TestSink, clock: Clock = SYSTEM_CLOCK) {
    this.#sink = sink;
    const onFailure = (error: unknown) => this.#failed.reject(error);
    this.#failed.promise.catch(() => {});
    this.#desk = new DeadLetterDesk({
      store: {
        keep: (kept) => Promise.resolve(void this.letters.push(...kept)),
        count: () => Promise.resolve(this.letters.length),
      },
      lettersMax: Infinity,
      clock,
      onSettled: () => {},
      onState: (state) => this.states.push(state),
      onFailure,
    });
    this.#dispatcher = new Dispatcher({
      sink,
      clock,
      retry: { initialMs: 20, maxMs: 200 },
      onSettled: () => {},
      onState: (state) => this.states.push(state),
      onFailure,
    });
  }

  /** Give a page after those before it; resolves when there is room for the next one. */
  async offer(topic: string, drafts: readonly RecordDraft[]): Promise<void> {
    const records = recordPage(topic, drafts, this.#nextId);
    this.#nextId += records.count;
    const page = {
      ...records,
      ops: new Uint8Array(records.count),
      payload: records.value,
      headers: nullColumn(records.count),
      previous: nullColumn(records.count),
      dedupKey: records.key,
    };
    const progress = new PageProgress(page.ids, windowOf(1, 0, 1_000_000), "run");
    const messages: Consignment = {
      page,
      progress,
      attemptsMax: 5,
      refuse: (casualties) => this.#desk.file(page, progress, casualties),
    };
    const shipment = new Shipment({ records, rows: null, messages });
    await Promise.race([this.#dispatcher.offer(shipment), this.#failed.promise]);
  }

  /** Resolves when every record has its outcome. */
  async drained(): Promise<void> {
    await Promise.race([this.#dispatcher.drained(), this.#failed.promise]);
    // Dead letters are filed one after the other, while the records behind them go on.
    await this.#desk.flush();
  }

  /** Try again now, as after a change of the configuration. */
  poke(): void {
    this.#dispatcher.poke();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#dispatcher.close();
    await this.#sink.close();
  }
}
