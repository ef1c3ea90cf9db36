/**
 * The transform stage: filter and projection by JMESPath, compiled once per pipeline.
 *
 * Without an expression a page passes through untouched: its payloads are never parsed, nor even decoded. With a filter, a
 * message whose filter is falsy is *filtered*: final, without going anywhere. An expression that throws on a message rejects
 * that message alone.
 *
 * @module
 */

import type { Page } from "../record/page.ts";
import type { RowRejection } from "../record/rejection.ts";

/** What became of a page. Rows of the input that are neither in `page` nor in `rejected` were filtered. */
export interface Transformed {
  /** The messages that go on, or `null` when none does. */
  readonly page: Page | null;
  /** For each row of `page`, its row in the input; `null` when all rows go on. */
  readonly origin: Uint32Array | null;
  readonly rejected: readonly RowRejection[];
}

/** A compiled transform. */
export type Transform = (page: Page) => Transformed;
