/**
 * A sink in memory that keeps the contract, with faults at random.
 *
 * @module
 */

import {
  type Answer,
  AnswerBuilder,
  delivered,
  type Fault,
  faulted,
  type RecordPage,
  textAt,
  unavailable,
} from "../../plugins/sdk/mod.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Sink } from "../../src/deliver/mod.ts";

/** What goes wrong, each a chance per page or record. */
export interface SinkFaults {
  /** A page is cut: some of its records are delivered, then an outage. */
  readonly outage?: number;
  /** The answer is lost: records are delivered but the page is answered with an outage. */
  readonly lostAnswer?: number;
  /** A record fails and may succeed later. */
  readonly failure?: number;
  /** Recovering fails once more. */
  readonly recovery?: number;
}

/** Records what was delivered, in order. */
export class FakeSink implements Sink {
  readonly pagesInFlight = 4;
  readonly received: { readonly id: number; readonly key: string }[] = [];
  /** The ids of records whose delivery was told. */
  readonly acknowledged = new Set<number>();
  readonly #clock: Clock;
  readonly #faults: SinkFaults;
  readonly #poison: Set<number>;
  #line: Promise<unknown> = Promise.resolve();
  #ended = 0;
  recoveries = 0;
  failures = 0;

  constructor(clock: Clock, faults: SinkFaults = {}, poison: Iterable<number> = []) {
    this.#clock = clock;
    this.#faults = faults;
    this.#poison = new Set(poison);
  }

  deliver(page: RecordPage, generation: number, onProgress = (_count: number) => {}): Promise<Answer> {
    const answer = this.#line.then(() => this.#deliver(page, generation, onProgress));
    this.#line = answer;
    return answer;
  }

  /** From now on nothing is poison. */
  cure(): void {
    this.#poison.clear();
  }

  recover(fault: Fault): Promise<Fault | null> {
    this.recoveries++;
    return Promise.resolve(this.#chance(this.#faults.recovery) ? fault : null);
  }

  async #deliver(
    page: RecordPage,
    generation: number,
    onProgress: (count: number) => void,
  ): Promise<Answer> {
    await this.#clock.sleep(1 + 4 * this.#clock.random());
    if (generation <= this.#ended) {
      return faulted(unavailable("ENDED", "an earlier page of the generation failed"));
    }
    const answer = new AnswerBuilder(page.count);
    const cut = this.#chance(this.#faults.outage)
      ? Math.floor(page.count * this.#clock.random())
      : page.count;
    for (let i = 0; i < cut; i++) {
      if (this.#poison.has(page.ids[i]!)) {
        answer.reject(i, "POISON", `record ${page.ids[i]} is poison`);
      } else if (this.#chance(this.#faults.failure)) {
        this.failures++;
        answer.fail(i, "SHAKY", "not this time");
        this.#ended = generation;
        return this.#acknowledge(page, answer.build(unavailable("SHAKY", "not this time")));
      } else {
        this.received.push({ id: page.ids[i]!, key: textAt(page.key, i)! });
        answer.deliver(i);
        if (this.#chance(0.1)) this.#tell(page, answer.deliveredFirst, onProgress);
      }
    }
    if (cut < page.count) return this.#end(generation, answer, page);
    if (!this.#chance(this.#faults.lostAnswer)) return this.#acknowledge(page, answer.build());
    this.#ended = generation;
    return faulted(unavailable("LOST_ANSWER", "the answer was lost"));
  }

  #end(generation: number, answer: AnswerBuilder, page: RecordPage): Answer {
    this.#ended = generation;
    return this.#acknowledge(page, answer.build(unavailable("OUTAGE", "the line was cut")));
  }

  #tell(page: RecordPage, count: number, onProgress: (count: number) => void): void {
    for (let i = 0; i < count; i++) this.acknowledged.add(page.ids[i]!);
    onProgress(count);
  }

  #acknowledge(page: RecordPage, answer: Answer): Answer {
    for (let i = 0; i + 1 < answer.delivered.length; i += 2) {
      for (let at = answer.delivered[i]!; at < answer.delivered[i + 1]!; at++) {
        this.acknowledged.add(page.ids[at]!);
      }
    }
    return answer;
  }

  #chance(probability = 0): boolean {
    return probability > 0 && this.#clock.random() < probability;
  }
}

/** A sink that delivers everything at once. */
export function instantSink(): Sink {
  return {
    pagesInFlight: 4,
    deliver: (page) => Promise.resolve(delivered(page.count)),
    recover: () => Promise.resolve(null),
  };
}
