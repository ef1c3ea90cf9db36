/**
 * The JSON format: the smallest format, and an example of one.
 *
 * @module
 */

import { defineFormat, type EncodedPage, type MessagePage } from "@pg-tide/sdk";
import { encodeEnvelopes } from "./envelope.ts";
import { MANIFEST } from "./manifest.ts";

/** A page as it is; the kernel does not start a Worker for this, but a third party may. */
function bare(page: MessagePage): EncodedPage {
  const { count, ids, createdMs, topics, topic, key, headers, payload } = page;
  return {
    page: { count, ids, createdMs, topics, topic, key, value: payload, headers },
    messageIndex: Uint32Array.from({ length: count }, (_, i) => i),
    rejected: [],
  };
}

defineFormat({
  ...MANIFEST,
  open: ({ outbox, fields }) => ({
    encode: (page) => fields["envelope"] === "pg_tide" ? encodeEnvelopes(page, outbox) : bare(page),
  }),
});
