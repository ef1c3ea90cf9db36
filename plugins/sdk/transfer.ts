/**
 * Which buffers of a message are moved, rather than copied, when it crosses a Worker's border.
 *
 * @module
 */

import type { Column } from "./column.ts";
import type { EncodedPage, MessagePage, RecordPage } from "./contract.ts";

/** The buffers of a page, each once. The sender loses them. */
export function transferables(page: RecordPage | MessagePage | EncodedPage): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  collect(page as unknown as Record<string, unknown>, buffers);
  return [...buffers];
}

function collect(value: Record<string, unknown>, buffers: Set<ArrayBuffer>): void {
  for (const member of Object.values(value)) {
    if (ArrayBuffer.isView(member)) buffers.add(member.buffer as ArrayBuffer);
    else if (isColumn(member)) buffers.add(member.bytes.buffer).add(member.ranges.buffer);
    else if (isPage(member)) collect(member, buffers);
  }
}

function isColumn(value: unknown): value is Column {
  return typeof value === "object" && value !== null && "bytes" in value && "ranges" in value;
}

function isPage(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && "count" in value && "ids" in value;
}
