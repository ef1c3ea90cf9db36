/**
 * A page on its way: collects the outcome of each of its records and then answers the kernel.
 *
 * @module
 */

import { type Answer, AnswerBuilder, type Fault, type Progress, type RecordPage } from "@pg-tide/sdk";

/** A page that was handed to the sink and not answered yet. */
export class PageDelivery {
  readonly page: RecordPage;
  /** When it was handed to the sink, by the sink's clock. */
  readonly sinceMs: number;
  /** Settles once every record has an outcome or the generation has ended. */
  readonly answer: Promise<Answer>;
  /** How many batches with records of this page are with a broker. While there are any the page cannot be given up. */
  inFlight = 0;
  readonly #builder: AnswerBuilder;
  readonly #progress: Progress;
  readonly #resolve: (answer: Answer) => void;

  constructor(page: RecordPage, sinceMs: number, progress: Progress = () => {}) {
    this.#progress = progress;
    this.page = page;
    this.sinceMs = sinceMs;
    this.#builder = new AnswerBuilder(page.count);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.answer = promise;
    this.#resolve = resolve;
    if (page.count === 0) this.#finish();
  }

  /** Whether some records have no outcome yet. */
  get open(): boolean {
    return this.#builder.open > 0;
  }

  /** Record `index` was delivered. */
  deliver(index: number): void {
    this.#builder.deliver(index);
    if (this.#builder.open === 0) this.#finish();
  }

  /** Tell how many of the first records are delivered, unless the answer says it already. */
  tellProgress(): void {
    if (this.open) this.#progress(this.#builder.deliveredFirst);
  }

  /** Record `index` can never be delivered. */
  reject(index: number, code: string, reason: string): void {
    this.#builder.reject(index, code, reason);
    if (this.#builder.open === 0) this.#finish();
  }

  /** Answer now: the records without an outcome have none because of `fault`. */
  giveUp(fault: Fault): void {
    this.#resolve(this.#builder.build(fault));
  }

  #finish(): void {
    this.#resolve(this.#builder.build());
  }
}
