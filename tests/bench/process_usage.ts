/**
 * What a process has used, as Linux accounts for it.
 *
 * @module
 */

import { runOrThrow } from "../support/command.ts";

/** Processor time and memory of a process, all its threads together. */
export interface Usage {
  /** User and system time, in seconds; in steps of a clock tick, mostly 10 ms. */
  readonly cpuS: number;
  /** The most memory that was ever resident, in bytes. */
  readonly peakBytes: number;
}

let ticksPerSecond: number | undefined;

/** @throws Error where there is no /proc */
export async function usageOf(pid: number): Promise<Usage> {
  if (Deno.build.os !== "linux") {
    throw new Error(`Cannot measure a process on ${Deno.build.os}: expected Linux, whose /proc shows it`);
  }
  ticksPerSecond ??= Number(await runOrThrow("getconf", ["CLK_TCK"]));
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return { cpuS: ticksOf(stat) / ticksPerSecond, peakBytes: peakOf(status) };
}

/** User and system ticks of /proc/PID/stat: the 14th and 15th field. The 2nd is a name in brackets, which may hold any. */
export function ticksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** `VmHWM` of /proc/PID/status. */
export function peakOf(status: string): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error("Cannot read a process's memory: no VmHWM, has it ended?");
  return Number(kilobytes) * 1_024;
}
