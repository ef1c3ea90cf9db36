/**
 * What a broker says about its cluster, as a proxy changes it on the way: answers to Metadata, ApiVersions and InitProducerId.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { WireReader, WireWriter } from "./kafka_wire.ts";

/** The protocol's number of Metadata. */
export const METADATA_KEY = 3;
/** That of ApiVersions. */
export const API_VERSIONS_KEY = 18;
/** That of InitProducerId. */
export const INIT_PRODUCER_ID_KEY = 22;

/** A broker as a cluster names it. */
export interface AdvertisedNode {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

/** What is said instead of what the broker said. */
export interface ClusterView {
  readonly nodes: readonly AdvertisedNode[];
  /** Who leads a partition that has a leader; -1 for nobody. */
  leaderOf(topic: string, partition: number): number;
}

/** The answer to a Metadata request of version 9 to 12, with other brokers and leaders. */
export function rewriteMetadata(frame: Buffer, version: number, view: ClusterView): Buffer {
  if (version < 9 || version > 12) {
    throw new Error(`Cannot read Metadata: version ${version}, expected 9 to 12`);
  }
  const bytes = Buffer.from(frame);
  const reader = WireReader.ofAnswer(bytes, true);
  reader.skip(4);
  const brokersAt = reader.at;
  for (let brokers = reader.count(true); brokers > 0; brokers--) {
    reader.skip(4);
    reader.string(true);
    reader.skip(4);
    reader.string(true);
    reader.tags(true);
  }
  const brokersEnd = reader.at;
  reader.string(true);
  reader.skip(4);
  for (let topics = reader.count(true); topics > 0; topics--) rewriteTopic(reader, version, view);
  const writer = new WireWriter().raw(bytes.subarray(4, brokersAt)).count(view.nodes.length, true);
  for (const { nodeId, host, port } of view.nodes) {
    writer.int32(nodeId).string(host, true).int32(port).string(null, true).tags(true);
  }
  return writer.raw(bytes.subarray(brokersEnd)).frame();
}

function rewriteTopic(reader: WireReader, version: number, view: ClusterView): void {
  reader.skip(2);
  const topic = reader.string(true);
  reader.skip(version >= 10 ? 17 : 1);
  for (let partitions = reader.count(true); partitions > 0; partitions--) {
    reader.skip(2);
    const partition = reader.int32();
    const leaderAt = reader.at;
    const leader = reader.int32();
    if (topic !== null && leader >= 0) {
      reader.buffer.writeInt32BE(view.leaderOf(topic, partition), leaderAt);
    }
    reader.skip(4);
    for (let lists = 3; lists > 0; lists--) reader.skip(4 * reader.count(true));
    reader.tags(true);
  }
  reader.skip(4);
  reader.tags(true);
}

/** The answer to an ApiVersions request of version 3, offering at most `highest` of some requests. */
export function capVersions(frame: Buffer, highest: ReadonlyMap<number, number>): Buffer {
  const bytes = Buffer.from(frame);
  const reader = WireReader.ofAnswer(bytes, false);
  if (reader.int16() !== 0) return bytes;
  for (let keys = reader.count(true); keys > 0; keys--) {
    const key = reader.int16();
    reader.skip(2);
    const cap = highest.get(key);
    if (cap !== undefined && bytes.readInt16BE(reader.at) > cap) bytes.writeInt16BE(cap, reader.at);
    reader.skip(2);
    reader.tags(true);
  }
  return bytes;
}

/** The answer to an InitProducerId request of version 3 or 4 with an error instead of a producer id. */
export function refuseProducerId(frame: Buffer, errorCode: number): Buffer {
  const reader = WireReader.ofAnswer(frame, true);
  return new WireWriter().raw(frame.subarray(4, reader.at)).int32(reader.int32()).int16(errorCode)
    .int64(-1n).int16(-1).tags(true).frame();
}
