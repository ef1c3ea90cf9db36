/**
 * Larger values: megabytes per second of the sink alone beside Kafka's own producer.
 *
 * @module
 */

import type { BenchContext } from "./context.ts";
import { writePayloadFile } from "./producer_perf.ts";
import { besideNeighbour, type Result } from "./results.ts";
import { designed } from "./sending.ts";
import { takeTurns } from "./turns.ts";

const NATIVE_SHARE = 0.8;

/** A batch of each is about half of a request's most bytes, so that neither side has to split it. */
const SIZES = [
  { name: "1_kb", payloadBytes: 1_000, batchSize: 500 },
  { name: "10_kb", payloadBytes: 10_000, batchSize: 50 },
] as const;

/** Measure each size, compressed and not. */
export async function measureValues(context: BenchContext): Promise<Result[]> {
  const { brokers, folder, scale } = context;
  const results: Result[] = [];
  for (const { batchSize, name, payloadBytes } of SIZES) {
    const payloadFile = await writePayloadFile(folder, payloadBytes);
    for (const compression of ["zstd", "none"] as const) {
      const sending = { ...designed({ brokers, payloadFile, batchSize }), payloadBytes, compression };
      const count = Math.round(scale.valueMB * 1e6 / payloadBytes);
      const title = `values, ${payloadBytes} bytes, ${compression}`;
      const { natives, ours } = await takeTurns(context, { title, sending, count });
      const megabytes = (rates: readonly number[]) => rates.map((rate) => rate * payloadBytes / 1e6);
      const figure = {
        name: `value_${name}_${compression}`,
        unit: "MB/s",
        better: "more",
        note:
          `the sink alone, fed from memory; values of ${payloadBytes} bytes, batches of ${batchSize}, ${compression}, ` +
          "idempotent; baseline: ProducerPerformance, same broker and run",
      } as const;
      results.push(besideNeighbour(figure, megabytes(ours), megabytes(natives), NATIVE_SHARE));
    }
  }
  return results;
}
