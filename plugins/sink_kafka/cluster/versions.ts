/**
 * Which versions of the protocol are spoken with a broker: the best ones that both sides know. Pure.
 *
 * @module
 */

import {
  initProducerIdV3,
  initProducerIdV4,
  metadataV10,
  metadataV12,
  metadataV9,
} from "@platformatic/kafka";
import {
  PRODUCE_KEY,
  PRODUCE_VERSIONS,
  type ProduceApi,
  produceApi,
  type ProduceVersion,
} from "./produce_api.ts";

/** The protocol's number of Metadata. */
export const METADATA_KEY = 3;
/** The protocol's number of InitProducerId. */
export const INIT_PRODUCER_ID_KEY = 22;

/**
 * Best first. Brokers from 2.4 on know 9, from 2.8 on 10, from 3.1 on 12. Version 11 is left out: who knows it also knows 10 or 12,
 * and the library's request for it has been wrong in some of its releases.
 */
const METADATA = [metadataV12, metadataV10, metadataV9] as const;
const INIT_PRODUCER_ID = [initProducerIdV4, initProducerIdV3] as const;

const PRODUCE: Readonly<Record<ProduceVersion, ProduceApi>> = {
  7: produceApi(7),
  8: produceApi(8),
  9: produceApi(9),
};

/** The lowest and the highest version of a request that a broker knows. */
export type VersionRange = readonly [min: number, max: number];

/** The requests of the sink, each in the version that is spoken. */
export interface Versions {
  readonly produce: ProduceApi;
  readonly metadata: typeof METADATA[number];
  /** Absent where the broker gives out no producer ids, which only idempotent producers need. */
  readonly initProducerId: typeof INIT_PRODUCER_ID[number] | undefined;
}

/** Thrown when a broker is too old, not a broker, or one that cannot do what is asked. */
export class UnsupportedBrokerError extends Error {
  override readonly name = "UnsupportedBrokerError";
  constructor(
    message: string,
    readonly code: "UNSUPPORTED_VERSION" | "IDEMPOTENCE_NOT_OFFERED" = "UNSUPPORTED_VERSION",
  ) {
    super(message);
  }
}

/**
 * The best versions that both sides speak.
 *
 * @param offered what the broker knows, by the protocol's number of the request
 * @throws {UnsupportedBrokerError} when they have none in common
 */
export function negotiate(offered: ReadonlyMap<number, VersionRange>): Versions {
  const spoken = (key: number, version: number) => {
    const [min, max] = offered.get(key) ?? [Infinity, -Infinity];
    return version >= min && version <= max;
  };
  const produce = PRODUCE_VERSIONS.find((version) => spoken(PRODUCE_KEY, version));
  const metadata = METADATA.find(({ api }) => spoken(METADATA_KEY, api.version));
  if (produce === undefined) throw notSpoken("Produce", offered.get(PRODUCE_KEY), PRODUCE_VERSIONS);
  if (metadata === undefined) {
    throw notSpoken("Metadata", offered.get(METADATA_KEY), METADATA.map(({ api }) => api.version));
  }
  const initProducerId = INIT_PRODUCER_ID.find(({ api }) => spoken(INIT_PRODUCER_ID_KEY, api.version));
  return { produce: PRODUCE[produce], metadata, initProducerId };
}

function notSpoken(
  request: string,
  offered: VersionRange | undefined,
  ours: readonly number[],
): UnsupportedBrokerError {
  return new UnsupportedBrokerError(
    `Cannot talk to the broker: it offers versions ${
      offered?.join(" to ") ?? "none"
    } of ${request}, expected one of ${ours.join(", ")} (Apache Kafka 2.8 or later)`,
  );
}
