/**
 * The route stage: where each message goes, its key and its record headers.
 *
 * Topic and key are templates over a message's variables, compiled once per pipeline; a template without a variable costs
 * nothing per message. A message that lacks a variable's value is rejected alone.
 *
 * @module
 */

import type { MessagePage } from "@pg-tide/sdk";
import type { Page } from "../record/page.ts";
import type { RowRejection } from "../record/rejection.ts";

/** What became of a page. Every row of the input is either in `page` or in `rejected`. */
export interface Routed {
  /** The messages that go on, or `null` when none does. */
  readonly page: MessagePage | null;
  /** For each row of `page`, its row in the input; `null` when all rows go on. */
  readonly origin: Uint32Array | null;
  readonly rejected: readonly RowRejection[];
}

/** A compiled route. */
export type Route = (page: Page) => Routed;
