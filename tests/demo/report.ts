/**
 * The figures at the end, for a person and for a program.
 *
 * @module
 */

import type { Latency, Verdict } from "./verdict.ts";
import { isGood } from "./verdict.ts";
import { formatted } from "./stage.ts";

/** All that the demo has found out. */
export interface Figures {
  /** Of the load with the crash. */
  readonly crash: Verdict;
  readonly rolledBack: number;
  readonly inFlightAtKill: number;
  /** The longest time in which nothing arrived, in milliseconds: from the kill until the new relay delivered. */
  readonly outageMs: number;
  /** Of the unhurried stretch. */
  readonly steady: Verdict;
  readonly latency: Latency;
  /** Of the backlog. */
  readonly backlog: Verdict;
  readonly perSecond: number;
}

/** Whether every promise was kept in all stretches. */
export function allGood({ crash, steady, backlog }: Figures): boolean {
  return [crash, steady, backlog].every(isGood);
}

/** The object that programs rely on. */
export function jsonOf(figures: Figures): Readonly<Record<string, unknown>> {
  const { crash, steady, backlog, latency } = figures;
  return {
    ...counts(crash),
    msg_per_s: figures.perSecond,
    latency_ms: latency,
    rolled_back: figures.rolledBack,
    in_flight_at_kill: figures.inFlightAtKill,
    outage_ms: figures.outageMs,
    steady: counts(steady),
    backlog: counts(backlog),
  };
}

function counts({ published, delivered, lost, duplicated, outOfOrder, unexpected }: Verdict) {
  return { published, delivered, lost, duplicated, out_of_order: outOfOrder, unexpected };
}

/** A table, and a last line that says it in one sentence. */
export function tableOf(figures: Figures): string {
  const { crash, steady, backlog, latency } = figures;
  const seconds = (figures.outageMs / 1000).toFixed(1);
  const rows: readonly (readonly [string, string, string])[] = [
    ["published", formatted(crash.published), `and ${formatted(figures.rolledBack)} rolled back`],
    ["delivered", formatted(crash.delivered), ""],
    ["lost", formatted(crash.lost), ""],
    [
      "duplicated",
      formatted(crash.duplicated),
      `${formatted(figures.inFlightAtKill)} were in flight at the kill`,
    ],
    ["out of order", formatted(crash.outOfOrder), "per key"],
    ["unexpected", formatted(crash.unexpected), "rolled back, or published by nobody"],
    ["outage", `${seconds} s`, "nothing arrived for so long"],
    [
      "messages/s",
      formatted(figures.perSecond),
      `a backlog of ${formatted(backlog.published)}, at the broker`,
    ],
    ["latency p50", milliseconds(latency.p50), "from COMMIT to the broker, linger_ms 10 included, unhurried"],
    ["latency p99", milliseconds(latency.p99), `${formatted(steady.published)} messages`],
  ];
  const lines = rows.map(([name, value, remark]) =>
    `  ${name.padEnd(13)}${value.padStart(9)}   ${remark}`.trimEnd()
  );
  return [...lines, "", ...troubles(figures)].join("\n");
}

function milliseconds(value: number | null): string {
  return value === null ? "-" : `${value.toFixed(1)} ms`;
}

function troubles(figures: Figures): string[] {
  if (allGood(figures)) return ["Nothing was lost, and every key kept its order."];
  const stretches = { "with a crash": figures.crash, unhurried: figures.steady, backlog: figures.backlog };
  return Object.entries(stretches).filter(([, verdict]) => !isGood(verdict)).map(([name, verdict]) =>
    `BROKEN (${name}): ${verdict.lost} lost, ${verdict.outOfOrder} out of order, ${verdict.unexpected} unexpected`
  );
}
