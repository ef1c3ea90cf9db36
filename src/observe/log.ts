/**
 * The log: lines for people or for programs, on standard error, with secrets removed.
 *
 * @module
 */

import { configure, dispose, getLogger, type LogRecord } from "@logtape/logtape";
import type { LogFields, Logger } from "../base/telemetry.ts";

/** How the log is written. */
export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "text" | "json";
  /** Removes secrets from a finished line. */
  readonly redact: (line: string) => string;
  /** Takes a finished line, without its line break. */
  readonly write: (line: string) => void;
}

/** Set up the log of this process; give {@link closeLog} a chance to run before it exits. */
export async function openLog(options: LogOptions): Promise<Logger> {
  const render = options.format === "json" ? jsonLine : textLine;
  await configure({
    reset: true,
    sinks: { lines: (record: LogRecord) => options.write(options.redact(render(record))) },
    loggers: [
      {
        category: "pg-tide",
        lowestLevel: options.level === "warn" ? "warning" : options.level,
        sinks: ["lines"],
      },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["lines"] },
    ],
  });
  return loggerWith({});
}

/** Write out what is left. */
export async function closeLog(): Promise<void> {
  await dispose();
}

function loggerWith(base: LogFields): Logger {
  const inner = getLogger("pg-tide");
  return {
    debug: (text, fields) => inner.debug(text, { ...base, ...fields }),
    info: (text, fields) => inner.info(text, { ...base, ...fields }),
    warn: (text, fields) => inner.warn(text, { ...base, ...fields }),
    error: (text, fields) => inner.error(text, { ...base, ...fields }),
    with: (fields) => loggerWith({ ...base, ...fields }),
  };
}

function levelOf(record: LogRecord): string {
  return record.level === "warning" ? "warn" : record.level;
}

function textLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const fields = Object.entries(record.properties).map(([name, value]) => ` ${name}=${plain(value)}`).join(
    "",
  );
  return `${time} ${levelOf(record).toUpperCase().padEnd(5)} ${record.rawMessage}${fields}`;
}

/** A value without spaces stands bare, any other as JSON, so that a line stays one line. */
function plain(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(value);
}

function jsonLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  return JSON.stringify({ time, level: levelOf(record), message: record.rawMessage, ...record.properties });
}
