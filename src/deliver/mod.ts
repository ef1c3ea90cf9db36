/**
 * The deliver stage: records to the sink, in order, several pages in flight, and what to do with each answer.
 *
 * Pages are handed to the sink in the order of the outbox, in a *generation*. While the sink delivers, generations do not
 * change. An answer with a fault or a failed record ends the generation: the dispatcher sends nothing more, waits until every page
 * in flight is answered, waits with backoff, then gives all unfinished records again, in order, in the next generation. So
 * a record never overtakes an undelivered one of its key.
 *
 * Who decides what: the sink says for each record whether it was delivered, can never succeed (rejected: dead letter at once) or
 * may succeed later (failed: costs its message an attempt). An outage (`unavailable`) is waited for as long as it takes and costs
 * nobody an attempt. What cannot work as configured (`configuration`) is tried again slowly.
 *
 * @module
 */

import type { Answer, Fault, RecordPage } from "@pg-tide/sdk";

/** The sink, as the deliver stage needs it. */
export interface Sink {
  /** Most pages in flight. */
  readonly pagesInFlight: number;
  /**
   * Deliver a page, whose buffers the sink takes. Never rejects: a sink that died answers with a fault.
   *
   * @param onProgress told, before the answer, how many of the first records are delivered; the number never falls
   */
  deliver(page: RecordPage, generation: number, onProgress?: (count: number) => void): Promise<Answer>;
  /**
   * Make the sink usable again after a fault; called when nothing is in flight.
   *
   * @returns why it is not usable, or `null`
   */
  recover(fault: Fault): Promise<Fault | null>;
}
