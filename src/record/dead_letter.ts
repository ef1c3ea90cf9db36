/**
 * Messages that can never succeed as configured.
 *
 * @module
 */

/** At which stage a message failed. */
export type Stage = "transform" | "route" | "encode" | "deliver";

/** How a message failed: it can never succeed as configured, or it has used up its attempts. */
export type Failure = "rejected" | "exhausted";

/** A message on its way to the dead letters, with everything needed to send it again. */
export interface DeadLetter {
  readonly messageId: number;
  /** Which record of the message, when a format makes several of one. */
  readonly recordIndex: number;
  readonly stage: Stage;
  readonly failure: Failure;
  /** A stable code: `MESSAGE_TOO_LARGE`. */
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly op: string;
  readonly dedupKey: string | null;
  /** JSON text. */
  readonly payload: string;
  /** JSON text of an object, or null. */
  readonly headers: string | null;
  /** JSON text, or null. */
  readonly previous: string | null;
  /** Where it would have gone, or null when it was not routed. */
  readonly topic: string | null;
  readonly recordKey: string | null;
  /** The partition that the pipeline says, or null where the sink chooses. */
  readonly partition: number | null;
}

/** Where dead letters are kept. */
export interface DeadLetterStore {
  /**
   * Keep dead letters; one that is kept already (same pipeline, message and record) is left as it is.
   *
   * @throws {FencedError} when the lease's epoch is not ours any more; nothing is kept then
   */
  keep(letters: readonly DeadLetter[]): Promise<void>;
  /** How many the pipeline has; no more than `most` are counted. */
  count(most: number): Promise<number>;
}
