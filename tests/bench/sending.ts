/**
 * How records are sent, by whoever sends them: Kafka's own producer, the sink alone, the whole relay.
 *
 * @module
 */

import type { Json } from "../../plugins/sdk/mod.ts";
import type { TestUser } from "../support/kafka_secure.ts";
import { PAYLOAD_BYTES } from "./payload.ts";

/** The codecs, in the order in which they are measured. */
export const CODECS = ["none", "lz4", "snappy", "zstd", "gzip"] as const;

/** A value of `compression`. */
export type Codec = typeof CODECS[number];

/** As the relay compresses with zstd; the Java producer's own is 3, which takes longer. Their gzip is the same. */
export const ZSTD_LEVEL = 1;

/** SCRAM over TLS. */
export interface Secured {
  /** The listener's address. */
  readonly address: string;
  readonly user: TestUser;
  /** The authority of the broker's certificate, as PEM. */
  readonly authority: string;
}

/** Everything but the topic and the number of records; acks is "all". */
export interface Sending {
  /** For whoever looks at the topics, and for the sender unless it is {@link secured}. */
  readonly brokers: string;
  /** See `writePayloadFile()`. */
  readonly payloadFile: string;
  readonly payloadBytes: number;
  /** Records in a batch. */
  readonly batchSize: number;
  readonly compression: Codec;
  readonly idempotent: boolean;
  readonly secured?: Secured;
}

/** What the design's figures want: zstd, idempotent, small payloads. */
export function designed(
  sending: Pick<Sending, "brokers" | "payloadFile" | "batchSize">,
): Sending {
  return { ...sending, payloadBytes: PAYLOAD_BYTES, compression: "zstd", idempotent: true };
}

const MECHANISM = "SCRAM-SHA-512";

/** As fields of a pipeline. */
export function fieldsOf(
  { batchSize, brokers, compression, idempotent, secured }: Sending,
): Record<string, Json> {
  return {
    brokers: secured?.address ?? brokers,
    acks: "all",
    batch_size: batchSize,
    compression,
    idempotent,
    ...(secured === undefined ? {} : {
      sasl_mechanism: MECHANISM,
      sasl_username: secured.user.username,
      sasl_password: secured.user.password,
      tls_enabled: true,
      tls_ca_cert: secured.authority,
    }),
  };
}

/** As properties of Kafka's own producer, but for the size of its batches. */
export function propertiesOf({ brokers, compression, idempotent, secured }: Sending): Record<string, string> {
  return {
    "bootstrap.servers": secured?.address ?? brokers,
    "acks": "all",
    "enable.idempotence": String(idempotent),
    "compression.type": compression,
    ...(compression === "zstd" ? { "compression.zstd.level": String(ZSTD_LEVEL) } : {}),
    ...(secured === undefined ? {} : {
      "security.protocol": "SASL_SSL",
      "sasl.mechanism": MECHANISM,
      "sasl.jaas.config": `org.apache.kafka.common.security.scram.ScramLoginModule required ` +
        `username="${secured.user.username}" password="${secured.user.password}";`,
      "ssl.truststore.type": "PEM",
      "ssl.truststore.certificates": secured.authority,
    }),
  };
}
