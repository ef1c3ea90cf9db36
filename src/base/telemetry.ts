/**
 * What parts of the relay need to speak to an operator, without knowing who listens.
 *
 * @module
 */

/** Facts beside a log line's fixed text. Never a secret, never a payload. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/**
 * Levels by an operator's need: `warn` is recoverable and nothing is lost; `error` needs a person. Normal running logs
 * nothing per message.
 */
export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  /** The same logger with these fields on every line. */
  with(fields: LogFields): Logger;
}

/** A logger that says nothing. */
export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => SILENT };
