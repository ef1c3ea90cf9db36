import assert from "node:assert/strict";
import { PRODUCE_KEY } from "../../../../plugins/sink_kafka/cluster/produce_api.ts";
import {
  INIT_PRODUCER_ID_KEY,
  METADATA_KEY,
  negotiate,
  UnsupportedBrokerError,
  type VersionRange,
} from "../../../../plugins/sink_kafka/cluster/versions.ts";

interface Offer {
  readonly produce?: VersionRange;
  readonly metadata?: VersionRange;
  readonly initProducerId?: VersionRange;
}

/** The versions that are picked when a broker offers these. */
function picked({ produce = [0, 9], metadata = [0, 12], initProducerId }: Offer) {
  const offered = new Map([[PRODUCE_KEY, produce], [METADATA_KEY, metadata]]);
  if (initProducerId !== undefined) offered.set(INIT_PRODUCER_ID_KEY, initProducerId);
  const versions = negotiate(offered);
  return [versions.produce.version, versions.metadata.api.version, versions.initProducerId?.api.version];
}

Deno.test("negotiate() picks the best versions that both sides know", () => {
  const kafka = {
    "2.4.1": { produce: [0, 8], metadata: [0, 9], initProducerId: [0, 2] },
    "2.8.2": { produce: [0, 9], metadata: [0, 11], initProducerId: [0, 4] },
    "3.9.2": { produce: [0, 11], metadata: [0, 12], initProducerId: [0, 5] },
    "4.4.0": { produce: [0, 13], metadata: [0, 13], initProducerId: [0, 6] },
  } as const;
  assert.deepEqual(picked(kafka["2.4.1"]), [8, 9, undefined]);
  assert.deepEqual(picked(kafka["2.8.2"]), [9, 10, 4]);
  assert.deepEqual(picked(kafka["3.9.2"]), [9, 12, 4]);
  assert.deepEqual(picked(kafka["4.4.0"]), [9, 12, 4]);
});

Deno.test("negotiate() never picks version 11 of Metadata", () => {
  for (let min = 0; min <= 11; min++) {
    for (let max = 11; max <= 14; max++) {
      if (min === 11 && max === 11) continue;
      assert.notEqual(picked({ metadata: [min, max] })[1], 11, `${min} to ${max}`);
    }
  }
  assert.throws(() => picked({ metadata: [11, 11] }), UnsupportedBrokerError);
});

Deno.test("negotiate() does without producer ids where the broker gives out none", () => {
  assert.equal(picked({})[2], undefined);
});

Deno.test("negotiate() refuses a broker that is too old, or one that knows nothing of it any more, and says why", () => {
  assert.throws(() => picked({ produce: [0, 6] }), {
    code: "UNSUPPORTED_VERSION",
    message: "Cannot talk to the broker: it offers versions 0 to 6 of Produce, expected one of 9, 8, 7 " +
      "(Apache Kafka 2.8 or later)",
  });
  assert.throws(
    () => picked({ metadata: [13, 20] }),
    /offers versions 13 to 20 of Metadata, expected one of 12, 10, 9/,
  );
  assert.throws(() => negotiate(new Map()), /offers versions none of Produce/);
});
