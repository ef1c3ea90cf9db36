/**
 * The way of a page through the stages, up to the sink.
 *
 * @module
 */

import type { EncodedPage, MessagePage } from "@pg-tide/sdk";
import type { Dispatcher } from "../deliver/dispatcher.ts";
import { type Consignment, Shipment } from "../deliver/shipment.ts";
import { nativeRecords } from "../encode/native.ts";
import type { PageEncoder } from "../encode/page_encoder.ts";
import type { Stage } from "../record/dead_letter.ts";
import type { RowRejection } from "../record/rejection.ts";
import type { Route } from "../route/mod.ts";
import type { Transform } from "../transform/mod.ts";

/** What a passage leads through. */
export interface PassageParts {
  readonly transform: Transform;
  readonly route: Route;
  /** `null` for the native format. */
  readonly encoder: PageEncoder | null;
  readonly dispatcher: Dispatcher;
  /** Called after messages became final that go nowhere. */
  readonly onDropped: (count: number) => void;
}

/**
 * `transform → route → encode → deliver`. Several may bring pages: those of one are taken in its order, those of different ones
 * as there is room for them.
 */
export class Passage {
  readonly #parts: PassageParts;
  /** The format takes one page at a time. */
  #encoding: Promise<unknown> = Promise.resolve();

  constructor(parts: PassageParts) {
    this.#parts = parts;
  }

  /** Take a page through; resolves when there is room for the next one. */
  async take(messages: Consignment): Promise<void> {
    const transformed = this.#parts.transform(messages.page);
    this.#dropFiltered(messages, transformed.origin, transformed.page?.count ?? 0, transformed.rejected);
    await refuse(messages, null, "transform", transformed.rejected);
    if (transformed.page === null) return;

    const routed = this.#parts.route(transformed.page);
    await refuse(messages, transformed.origin, "route", routed.rejected);
    if (routed.page === null) return;
    const origin = compose(transformed.origin, routed.origin);

    if (this.#parts.encoder === null) {
      const records = nativeRecords(routed.page);
      await this.#parts.dispatcher.offer(new Shipment({ records, rows: origin, messages }));
      return;
    }
    const outcome = await this.#encode(this.#parts.encoder, routed.page);
    if (outcome !== null) await this.#ship(messages, origin, routed.page.count, outcome);
  }

  #encode(encoder: PageEncoder, page: MessagePage): Promise<EncodedPage | null> {
    const encoded = this.#encoding.then(() => encoder.encode(page));
    this.#encoding = encoded.catch(() => {});
    return encoded;
  }

  /** Hand encoded records on; messages without a record are final, messages with several wait for all of them. */
  async #ship(
    messages: Consignment,
    origin: Uint32Array | null,
    count: number,
    outcome: EncodedPage,
  ): Promise<void> {
    const { page: records, messageIndex, rejected } = outcome;
    const perMessage = new Uint16Array(count);
    for (const index of messageIndex) perMessage[index]!++;
    const refused = new Set(rejected.map(({ index }) => index));
    let dropped = 0;
    for (let i = 0; i < count; i++) {
      const row = origin === null ? i : origin[i]!;
      if (perMessage[i]! > 1) messages.progress.expect(row, perMessage[i]! - 1);
      else if (perMessage[i] === 0 && !refused.has(i)) messages.progress.drop(row), dropped++;
    }
    if (dropped > 0) this.#parts.onDropped(dropped);
    await refuse(
      messages,
      origin,
      "encode",
      rejected.map(({ index, code, reason }) => ({ row: index, code, reason })),
    );
    const rows = messageIndex.map((index) => origin === null ? index : origin[index]!);
    await this.#parts.dispatcher.offer(new Shipment({ records, rows, messages }));
  }

  #dropFiltered(
    { page, progress }: Consignment,
    origin: Uint32Array | null,
    kept: number,
    rejected: readonly RowRejection[],
  ): void {
    const filtered = page.count - kept - rejected.length;
    if (filtered === 0) return;
    const stays = new Uint8Array(page.count);
    for (let i = 0; i < kept; i++) stays[origin === null ? i : origin[i]!] = 1;
    for (const { row } of rejected) stays[row] = 1;
    for (let row = 0; row < page.count; row++) if (stays[row] === 0) progress.drop(row);
    this.#parts.onDropped(filtered);
  }
}

function refuse(
  messages: Consignment,
  origin: Uint32Array | null,
  stage: Stage,
  rejected: readonly RowRejection[],
): Promise<void> {
  if (rejected.length === 0) return Promise.resolve();
  return messages.refuse(rejected.map(({ row, code, reason }) => ({
    row: origin === null ? row : origin[row]!,
    recordIndex: 0,
    stage,
    failure: "rejected",
    code,
    reason,
    attempts: 1,
    topic: null,
    recordKey: null,
    partition: null,
  })));
}

/** The rows of the first page behind the rows of a page made of a page made of it. */
function compose(outer: Uint32Array | null, inner: Uint32Array | null): Uint32Array | null {
  if (outer === null) return inner;
  return inner === null ? outer : inner.map((row) => outer[row]!);
}
