/**
 * Kafka's own producer and the sink alone take turns, each turn with a topic of its own.
 *
 * @module
 */

import type { BenchContext } from "./context.ts";
import { NativeProducer } from "./producer_perf.ts";
import type { Sending } from "./sending.ts";
import { SinkAlone } from "./sink_alone.ts";
import { ratesOf } from "./timeline.ts";

/** Records per second over all of a turn's records, and the same of the neighbour. */
export interface Turns {
  readonly ours: readonly number[];
  readonly natives: readonly number[];
  /** What one more participant reached, if there was one. */
  readonly others: readonly number[];
}

/** What is measured. */
export interface TurnOptions {
  readonly title: string;
  readonly sending: Sending;
  /** Records in a turn. */
  readonly count: number;
  /** One more participant. @returns records per second */
  readonly other?: () => Promise<number>;
}

/** Measure as many rounds as the scale says. */
export async function takeTurns(
  { progress, scale }: BenchContext,
  { count, other, sending, title }: TurnOptions,
): Promise<Turns> {
  const native = await NativeProducer.calibrated({ ...sending, count });
  const sink = new SinkAlone(sending);
  const ours: number[] = [];
  const natives: number[] = [];
  const others: number[] = [];
  for (let round = 1; round <= scale.rounds; round++) {
    natives.push(ratesOf(count, await native.send(count)).whole);
    ours.push(ratesOf(count, await sink.send(count)).whole);
    if (other !== undefined) others.push(await other());
    const shown = [ours, natives, others].map((rates) => Math.round(rates.at(-1) ?? 0));
    progress(
      `${title}, round ${round}: the sink ${shown[0]}/s, native producer ${shown[1]}/s` +
        (other === undefined ? "" : `, the whole relay ${shown[2]}/s`),
    );
  }
  return { ours, natives, others };
}
