/**
 * The encode stage: routed messages to records.
 *
 * The native format hands payloads on as they are stored, without a copy and without a Worker. Other formats are
 * plugins that may make several records of a message, or none, and reject messages alone.
 *
 * @module
 */

import type { EncodedPage, Fault, MessagePage } from "@pg-tide/sdk";

/** What became of a page: records, or why the format cannot go on. */
export type Encoded = { readonly encoded: EncodedPage } | { readonly fault: Fault };

/** A wire format. Pages are given one at a time, in order. */
export interface Format {
  encode(page: MessagePage): Promise<Encoded>;
}
