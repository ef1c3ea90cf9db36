/**
 * Every number that bounds what a plugin may take: time, sizes, counts. Each with its reason.
 *
 * @module
 */

/** The bounds of a plugin. */
export const HOST_LIMITS = {
  /** From the start of a Worker to its hello. Loading a client library takes a second on a busy machine. */
  helloMs: 30_000,

  /**
   * How long a relay that starts waits for its external plugins before it begins with the pipelines that use none. One that
   * behaves is loaded in a tenth of it, so that its pipelines can be configured as soon as the relay says that it runs.
   */
  loadPatienceMs: 3_000,

  /** For `discover`, `open` and `reconfigure`, which may wait for several servers one after the other. */
  openMs: 120_000,

  /** For an answer to a page, unless the sink says how long it may try by itself (`Opened.answerWithinMs`). */
  answerMs: 300_000,

  /** The longest that a sink may ask for. */
  answerMaxMs: 2 * 3_600_000,

  /** For an encoded page. */
  encodeMs: 120_000,

  /** Between two looks at a Worker's heart. */
  beatMs: 1_000,

  /**
   * Looks without a beat after which a Worker is given up. Ten: encoding a page of the largest messages blocks a Worker
   * for about a second, and a machine that swaps is slower still.
   */
  beatsMissed: 10,

  /** Lines that a plugin may log between two beats; what is more is counted, not shown. */
  logsPerBeat: 200,

  /** Lines between two beats that are taken for an attack on the relay rather than for a log. */
  logFlood: 100_000,

  /** Characters of a reason, an advice or a log line that are kept. The contract's limit. */
  textMax: 2_000,

  /** Characters of a code. The contract's limit. */
  codeMax: 100,

  /** Fields of a plugin. */
  fields: 200,

  /** Rules of a plugin. */
  rules: 200,

  /** Characters of a field's name. */
  nameMax: 100,

  /** Characters of a field's pattern, which the relay and PostgreSQL run. */
  patternMax: 500,

  /** Characters of a JSON value in a description. */
  jsonMax: 10_000,

  /** Hosts of a grant. The largest Kafka clusters have a few hundred brokers. */
  hosts: 2_000,

  /** Characters of a topic's name; Kafka allows 249. */
  topicMax: 1_000,

  /** Records that a format may make of one page: a Debezium key change makes three of a message. */
  recordsPerMessage: 16,

  /** Bytes of an encoded page for each byte given, and beside them: an envelope repeats the key and names every field. */
  encodedFactor: 32,
  encodedBeside: 16 * 1024 * 1024,

  /** Pages in flight that a sink may ask for. */
  pagesInFlightMax: 64,

  /** Bytes of an external plugin's source. Bundles of large client libraries have 2 to 3 MB. */
  sourceBytes: 8 * 1024 * 1024,

  /** For the download of a plugin's source. */
  fetchMs: 30_000,

  /** For a plugin's orderly end. */
  closeMs: 5_000,
} as const;
