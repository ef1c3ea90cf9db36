/**
 * The report: one JSON object for programs, a table for people. Pure.
 *
 * @module
 */

import { type Result, verdictOf } from "./results.ts";

/** Where and with which settings was measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gb: number;
  readonly os: string;
  /** Processes that wanted to run in the last minute before the start: others' load makes every figure worse. */
  readonly load: number;
  /** From source or compiled, and its runtime. */
  readonly relay: string;
  /** Version and the settings that decide what a commit costs. */
  readonly postgres: Readonly<Record<string, string>>;
  /** Version and settings of the broker and the topics. */
  readonly kafka: Readonly<Record<string, string>>;
}

/** What `deno task bench --json` prints. */
export interface Report {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly results: readonly Result[];
}

/** The report as people read it. */
export function renderTable({ machine, quick, results }: Report): string {
  const rows = results.map((result) => [
    result.name,
    `${round(result.value)} ${result.unit}`,
    result.baseline === null ? "" : round(result.baseline),
    result.ratio === null ? "" : result.ratio.toFixed(2),
    result.goal === null ? "" : `≥ ${result.goal.toFixed(2)}`,
    verdictOf(result),
    result.note,
  ]);
  const head = ["figure", "value", "baseline", "ratio", "goal", "", "how"];
  return [...describe(machine, quick), "", ...aligned([head, ...rows]), ""].join("\n");
}

function describe(machine: Machine, quick: boolean): string[] {
  const { cpu, cores, memory_gb, os, load, relay, postgres, kafka } = machine;
  return [
    `Machine     ${cores} × ${cpu}, ${memory_gb} GB, ${os}, load ${load.toFixed(2)} before the start`,
    `Relay       ${relay}`,
    `PostgreSQL  ${pairs(postgres)}`,
    `Kafka       ${pairs(kafka)}`,
    ...(quick ? ["Quick: short runs, more noise"] : []),
    "A ratio is better the higher it is; 1 is as good as the baseline.",
  ];
}

function pairs(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings).map(([name, value]) => `${name} ${value}`).join(", ");
}

/** Whole numbers from 100 up, three digits below. */
function round(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

/** Columns of equal width, but for the last one, which ends the line. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from(
    { length: columns },
    (_, column) => Math.max(...rows.map((row) => row[column]!.length)),
  );
  return rows.map((row) =>
    row.map((cell, column) => column === columns - 1 ? cell : cell.padEnd(widths[column]!)).join("  ")
      .trimEnd()
  );
}
