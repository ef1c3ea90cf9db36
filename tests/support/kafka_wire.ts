/**
 * Frames and primitive types of Kafka's protocol, by nothing of the client under test.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const FRAME_HEAD = 4;
/** Larger than whatever a test sends: anything above is not a frame. */
const FRAME_MAX = 128 * 1024 * 1024;

/** Cuts a stream of bytes into frames, each with its length in front. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** Take bytes. @returns the frames that they complete @throws Error when they are not Kafka's protocol */
  push(bytes: Uint8Array): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: Buffer[] = [];
    while (this.#rest.length >= FRAME_HEAD) {
      const length = this.#rest.readInt32BE(0);
      if (length < 0 || length > FRAME_MAX) throw new Error(`Cannot read a frame: it has ${length} bytes`);
      if (this.#rest.length < FRAME_HEAD + length) break;
      frames.push(this.#rest.subarray(0, FRAME_HEAD + length));
      this.#rest = this.#rest.subarray(FRAME_HEAD + length);
    }
    return frames;
  }
}

/** What stands in front of every request. */
export interface RequestHead {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** Read a request's head. @param frame with its length */
export function readHead(frame: Buffer): RequestHead {
  const reader = new WireReader(frame, FRAME_HEAD);
  return {
    apiKey: reader.int16(),
    version: reader.int16(),
    correlationId: reader.int32(),
    clientId: reader.string(false),
  };
}

/** The number by which an answer belongs to its request. @param frame with its length */
export function correlationIdOf(frame: Buffer): number {
  return frame.readInt32BE(FRAME_HEAD);
}

/** Reads values one after the other. `compact` is the encoding of the flexible versions. */
export class WireReader {
  readonly buffer: Buffer;
  /** Where the next value stands. */
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.buffer = buffer;
    this.at = at;
  }

  /** Behind the head of a request. */
  static ofRequest(frame: Buffer, flexible: boolean): WireReader {
    const reader = new WireReader(frame, FRAME_HEAD + 8);
    reader.string(false);
    reader.tags(flexible);
    return reader;
  }

  /** Behind the head of an answer. */
  static ofAnswer(frame: Buffer, flexible: boolean): WireReader {
    const reader = new WireReader(frame, FRAME_HEAD + 4);
    reader.tags(flexible);
    return reader;
  }

  int8(): number {
    return this.buffer.readInt8(this.#step(1));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.#step(4));
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.#step(8));
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.buffer.readUInt8(this.#step(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** How many elements an array has; none for a null array. */
  count(compact: boolean): number {
    return Math.max(0, compact ? this.uvarint() - 1 : this.int32());
  }

  string(compact: boolean): string | null {
    return this.#bytes(compact ? this.uvarint() - 1 : this.int16())?.toString() ?? null;
  }

  bytes(compact: boolean): Buffer | null {
    return this.#bytes(compact ? this.uvarint() - 1 : this.int32());
  }

  /** Leave out so many bytes. */
  skip(length: number): void {
    this.#step(length);
  }

  /** Leave out tagged fields; only flexible versions have them. */
  tags(flexible: boolean): void {
    if (!flexible) return;
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint();
      this.skip(this.uvarint());
    }
  }

  #bytes(length: number): Buffer | null {
    return length < 0 ? null : this.buffer.subarray(this.#step(length), this.at);
  }

  #step(length: number): number {
    const { at } = this;
    if (length < 0 || at + length > this.buffer.length) {
      throw new Error(`Cannot read a value: ${length} bytes at ${at} of ${this.buffer.length}`);
    }
    this.at += length;
    return at;
  }
}

/** Writes values one after the other. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeInt16BE(value);
    return this.raw(part);
  }

  int32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    return this.raw(part);
  }

  int64(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigInt64BE(value);
    return this.raw(part);
  }

  uvarint(value: number): this {
    const bytes: number[] = [];
    for (let left = value;; left = Math.floor(left / 128)) {
      bytes.push(left < 128 ? left : (left % 128) | 0x80);
      if (left < 128) return this.raw(Buffer.from(bytes));
    }
  }

  /** How many elements the array that follows has. */
  count(value: number, compact: boolean): this {
    return compact ? this.uvarint(value + 1) : this.int32(value);
  }

  string(value: string | null, compact: boolean): this {
    const bytes = value === null ? null : Buffer.from(value);
    const length = bytes?.length ?? -1;
    return (compact ? this.uvarint(length + 1) : this.int16(length)).raw(bytes ?? Buffer.alloc(0));
  }

  bytes(value: Uint8Array | null, compact: boolean): this {
    return this.count(value?.length ?? -1, compact).raw(value ?? Buffer.alloc(0));
  }

  /** No tagged fields, where there could be some. */
  tags(flexible: boolean): this {
    return flexible ? this.uvarint(0) : this;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    return this;
  }

  /** All that was written, with its length in front. */
  frame(): Buffer {
    const body = Buffer.concat(this.#parts);
    const head = Buffer.alloc(FRAME_HEAD);
    head.writeInt32BE(body.length);
    return Buffer.concat([head, body]);
  }
}
