/**
 * `pg-tide status`: every pipeline, its state, its lag, and what to do.
 *
 * @module
 */

import { EXIT } from "../base/errors.ts";
import type { Settings } from "../config/settings.ts";
import { connect } from "../pg/database.ts";
import { type PipelineStatus, readStatus } from "../pg/status.ts";
import type { Output } from "./output.ts";
import { table } from "./table.ts";

/** Show the state of all pipelines. */
export async function status(
  settings: Settings,
  options: { readonly json?: true },
  output: Output,
): Promise<number> {
  const database = await connect({
    url: settings.postgresUrl!,
    maxConnections: 1,
    applicationName: "pg-tide status",
  });
  try {
    const pipelines = await readStatus(database);
    if (options.json) output.out(JSON.stringify({ pipelines }));
    else if (pipelines.length === 0) {
      output.out("There are no pipelines. Configure one with tide.relay_set_outbox(…).");
    } else for (const line of render(pipelines)) output.out(line);
    return EXIT.good;
  } finally {
    await database.close();
  }
}

/** Dead letters beyond this number are not counted. */
const COUNTED_MOST = 10_000;

const HEADINGS = ["PIPELINE", "OUTBOX", "GROUP", "SINK", "STATE", "LAG", "OLDEST", "DEAD LETTERS"];

function render(pipelines: readonly PipelineStatus[]): readonly string[] {
  const rows = pipelines.map((one) => [
    one.name,
    one.outbox,
    one.group,
    one.sink_type ?? "-",
    one.state,
    String(one.lag_messages),
    `${one.lag_seconds.toFixed(one.lag_seconds < 10 ? 1 : 0)} s`,
    one.dead_letters < COUNTED_MOST ? String(one.dead_letters) : `${COUNTED_MOST} or more`,
  ]);
  return table(HEADINGS, rows, (row) => [...trouble(pipelines[row]!), ...letterNotes(pipelines[row]!)]);
}

/** What happens to dead letters, under the pipeline's line. */
function letterNotes(
  { dead_letters_retrying: retrying, dead_letters_expired: expired }: PipelineStatus,
): string[] {
  return [
    ...(retrying > 0 ? [`    ${retrying} dead letters are being sent again: pg-tide dlq status`] : []),
    ...(expired > 0
      ? [`    ${expired} dead letters were dropped since it exists, as dlq.retention_days says`]
      : []),
  ];
}

/** What is wrong with a pipeline, or should be known, under its line. */
function trouble({ last_error, warning }: PipelineStatus): string[] {
  const told = last_error ?? warning;
  if (told === null) return [];
  const { code, reason, advice, since } = told;
  const kind = last_error === null ? "Warning " : "";
  const text = [`    ${kind}${code}${since === null ? "" : ` since ${since}`}: ${reason}`];
  return advice === null ? text : [...text, `    ${advice}`];
}
