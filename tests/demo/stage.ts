/**
 * A pipeline under load, and waiting for what it delivers.
 *
 * @module
 */

import { pause } from "./interrupt.ts";
import type { DemoRelay } from "./relay_process.ts";
import type { Screen } from "./screen.ts";
import type { DemoTopics } from "./topics.ts";

/** What every part of the demo works with. */
export interface Stage {
  readonly relay: DemoRelay;
  readonly topics: DemoTopics;
  readonly topic: string;
  readonly pipeline: string;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 250;
/** When nothing more arrives for so long, pg-tide is asked whether it is done. */
const ASK_AFTER_MS = 1_000;
/** When nothing more arrives for so long although pg-tide is not done, nothing will. */
const GIVE_UP_AFTER_MS = 60_000;

const NUMBER = new Intl.NumberFormat("en-US");

/** `12,345` */
export function formatted(count: number): string {
  return NUMBER.format(count);
}

/** Messages on their way. */
export class Underway {
  /** Records of the topic before the first of them. */
  readonly before: number;
  readonly #published: () => number;
  readonly #publishing: Promise<void>;
  #isPublishing = true;

  /**
   * @param published how many have been committed by now
   * @param publishing ends when all are; its failure is kept for {@link Underway.isPublishing}
   */
  constructor(before: number, published: () => number, publishing: Promise<void>) {
    this.before = before;
    this.#published = published;
    this.#publishing = publishing;
    const end = () => void (this.#isPublishing = false);
    publishing.then(end, end);
  }

  get published(): number {
    return this.#published();
  }

  /** Whether more will be committed. @throws what publishers have thrown */
  async isPublishing(): Promise<boolean> {
    if (!this.#isPublishing) await this.#publishing;
    return this.#isPublishing;
  }
}

/** One line about messages on their way. What arrived twice cannot be told from a count, and is left out of it. */
export function progressOf(published: number, arrived: number): string {
  const delivered = Math.min(published, arrived);
  const lag = formatted(published - delivered);
  return `  published ${formatted(published)}   delivered ${formatted(delivered)}   lag ${lag}`;
}

/** Wait until a pipeline has started and waits for messages, or delivers. */
export async function untilRunning({ relay, pipeline, signal }: Stage): Promise<void> {
  const end = performance.now() + GIVE_UP_AFTER_MS;
  while (true) {
    const { state, last_error } = await relay.status(pipeline);
    if (state === "idle" || state === "running") return;
    if (performance.now() > end) {
      const reason = last_error === null ? "" : `: ${last_error.reason}\n${last_error.advice ?? ""}`;
      throw new Error(`Cannot deliver: pipeline ${pipeline} is ${state}${reason}\n${await relay.log()}`);
    }
    await pause(LOOK_EVERY_MS, signal);
  }
}

/**
 * Show the progress until pg-tide itself says that it has delivered everything; or until it does not go on, which the
 * verdict will show.
 */
export async function untilDelivered(stage: Stage, underway: Underway): Promise<void> {
  let arrived = -1;
  let since = performance.now();
  while (true) {
    const isPublishing = await underway.isPublishing();
    const count = await stage.topics.count(stage.topic) - underway.before;
    if (count !== arrived) since = performance.now();
    arrived = count;
    stage.screen.progress(progressOf(underway.published, arrived));
    if (!isPublishing) {
      const idleMs = performance.now() - since;
      const mayBeDone = arrived >= underway.published || idleMs > ASK_AFTER_MS;
      if (mayBeDone && await isDone(stage)) return stage.screen.line(progressOf(underway.published, arrived));
      if (idleMs > GIVE_UP_AFTER_MS) return await sayWhyNot(stage);
    }
    await pause(LOOK_EVERY_MS, stage.signal);
  }
}

async function isDone({ relay, pipeline }: Stage): Promise<boolean> {
  return (await relay.status(pipeline)).lag_messages === 0;
}

async function sayWhyNot({ relay, pipeline, screen }: Stage): Promise<void> {
  const { state, lag_messages, last_error } = await relay.status(pipeline);
  screen.line(`Nothing more arrives: pipeline ${pipeline} is ${state}, ${lag_messages} messages behind`);
  if (last_error !== null) screen.line(`  ${last_error.reason}\n  ${last_error.advice ?? ""}`);
  screen.line(await relay.log());
}
