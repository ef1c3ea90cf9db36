/**
 * SCRAM over TLS: the sink alone beside Kafka's own producer, on a secure broker of its own.
 *
 * @module
 */

import { RELAY_USER, startSecureKafka } from "../support/kafka_secure.ts";
import type { BenchContext } from "./context.ts";
import { NativeProducer } from "./producer_perf.ts";
import { besideNeighbour, type Result } from "./results.ts";
import { CODECS, designed, type Sending } from "./sending.ts";
import { takeTurns } from "./turns.ts";

/** Of the native producer's rate. */
const NATIVE_SHARE = 0.6;
const BATCH_SIZE = 500;

/** Measure with the codec that is used most, and without one: then TLS has most to do. */
export async function measureSecure(context: BenchContext): Promise<Result[]> {
  const { payloadFile, progress, scale: { backlog: count, brokerWarmUp } } = context;
  progress("secure: starting a secure broker");
  await using secure = await startSecureKafka();
  const { kafka: { brokers } } = secure;
  const secured = {
    address: secure.listeners.SASL_SSL,
    user: RELAY_USER,
    authority: secure.authority.certificate,
  };
  const base: Sending = { ...designed({ brokers, payloadFile, batchSize: BATCH_SIZE }), secured };
  const results: Result[] = [];
  progress("secure: warming up the broker with the native producer");
  await (await NativeProducer.calibrated({ ...base, count })).send(brokerWarmUp);
  for (const compression of CODECS.filter((codec) => codec === "zstd" || codec === "none")) {
    const title = `secure, ${compression}`;
    const { natives, ours } = await takeTurns(context, { title, sending: { ...base, compression }, count });
    const figure = {
      name: `secure_${compression}`,
      unit: "msg/s",
      better: "more",
      note:
        `the sink alone, fed from memory; SCRAM-SHA-512 over TLS, ${compression}, idempotent, batches of ${BATCH_SIZE}; ` +
        "baseline: ProducerPerformance, same broker and run",
    } as const;
    results.push(besideNeighbour(figure, ours, natives, NATIVE_SHARE));
  }
  return results;
}
