/**
 * `pg-tide dlq list | show | retry | status | cancel | discard`.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../base/clock.ts";
import { EXIT } from "../base/errors.ts";
import type { Settings } from "../config/settings.ts";
import { connect } from "../pg/database.ts";
import { type LetterFilter, LetterOffice } from "../pg/letter_office.ts";
import {
  type DiscardFlags,
  type FilterFlags,
  FlagReader,
  type ListFlags,
  type RetryFlags,
} from "./dlq_flags.ts";
import { lettersOf, letterText, listText, retryLines, statusText } from "./dlq_text.ts";
import { waitForRetry } from "./dlq_wait.ts";
import type { Output } from "./output.ts";

/** How many are listed unless said. */
const LIST_LIMIT = 50;

/** How many of what was asked for are shown. */
const RETRIES_SHOWN = 20;

/** List dead letters, oldest first. */
export async function dlqList(settings: Settings, flags: ListFlags, output: Output): Promise<number> {
  const reader = new FlagReader();
  const filter = filterOf(flags, reader);
  const limit = reader.limit(flags.limit, LIST_LIMIT);
  const after = reader.id("--after", flags.after);
  reader.finish();
  return await atOffice(settings, output, async (office) => {
    // One more, to know whether that is all.
    const found = await office.list(filter, limit + 1, after);
    const letters = found.slice(0, limit);
    const more = found.length > limit;
    if (flags.json) output.out(JSON.stringify({ dead_letters: letters, more }));
    else for (const line of listText(letters, more)) output.out(line);
    return EXIT.good;
  });
}

/** Show one dead letter whole. */
export async function dlqShow(
  settings: Settings,
  id: string,
  flags: { readonly json?: true },
  output: Output,
): Promise<number> {
  const number = idOf(id);
  return await atOffice(settings, output, async (office) => {
    const letter = await office.show(number);
    if (flags.json) output.out(letter.letter);
    else for (const line of letterText(letter)) output.out(line);
    return EXIT.good;
  });
}

/** Have dead letters sent again. Exits with 1 when it waited and some of them were not delivered. */
export async function dlqRetry(settings: Settings, flags: RetryFlags, output: Output): Promise<number> {
  const reader = new FlagReader();
  const order = {
    ...filterOf(flags, reader),
    rate: reader.rate(flags.rate),
    into: reader.text(flags.into),
    payload: await reader.json("--payload", flags.payload),
    dryRun: flags.dryRun === true,
  };
  reader.need(order.pipeline !== null || order.id !== null, "retry", "--pipeline or --id");
  reader.finish();
  return await atOffice(settings, output, async (office) => {
    const receipt = await office.retry(order);
    if (receipt.retry !== null && flags.wait) {
      if (!flags.json) output.out(`Retry ${receipt.retry} sends ${lettersOf(receipt.letters)} again.`);
      return await waitForRetry(office, receipt.retry, flags, output, SYSTEM_CLOCK);
    }
    if (flags.json) output.out(JSON.stringify({ ...receipt, dry_run: order.dryRun }));
    else for (const line of retryLines(receipt, order.dryRun)) output.out(line);
    return EXIT.good;
  });
}

/** Show what the dead letters have failed of, and what was asked to be sent again. */
export async function dlqStatus(
  settings: Settings,
  flags: { readonly pipeline?: string; readonly json?: true },
  output: Output,
): Promise<number> {
  const pipeline = flags.pipeline ?? null;
  return await atOffice(settings, output, async (office) => {
    const sums = await office.sums(pipeline);
    const retries = await office.retries(pipeline, null, RETRIES_SHOWN);
    if (flags.json) output.out(JSON.stringify({ dead_letters: sums, retries }));
    else for (const line of statusText(sums, retries)) output.out(line);
    return EXIT.good;
  });
}

/** Call off what was asked to be sent again. */
export async function dlqCancel(
  settings: Settings,
  retry: string,
  flags: { readonly json?: true },
  output: Output,
): Promise<number> {
  const number = idOf(retry);
  return await atOffice(settings, output, async (office) => {
    const cancelled = await office.cancel(number);
    if (flags.json) output.out(JSON.stringify({ retry: number, cancelled }));
    else if (cancelled) {
      output.out(`Retry ${number} is called off; the dead letters whose turn had not come stay.`);
    } else output.out(`Retry ${number} was done already.`);
    return EXIT.good;
  });
}

/** Throw dead letters away for good. */
export async function dlqDiscard(settings: Settings, flags: DiscardFlags, output: Output): Promise<number> {
  const reader = new FlagReader();
  const filter = filterOf(flags, reader);
  const isNarrowed = Object.values(filter).some((value) => value !== null);
  reader.need(isNarrowed, "discard", "--pipeline, --id, --code or --before");
  reader.finish();
  return await atOffice(settings, output, async (office) => {
    const dryRun = flags.dryRun === true;
    const letters = dryRun ? await office.count(filter) : await office.discard(filter);
    if (flags.json) output.out(JSON.stringify({ letters, dry_run: dryRun }));
    else {output.out(
        `${lettersOf(letters)} ${dryRun ? "would be" : letters === 1 ? "was" : "were"} thrown away.`,
      );}
    return EXIT.good;
  });
}

function filterOf({ pipeline, id, code, before }: FilterFlags, reader: FlagReader): LetterFilter {
  return {
    pipeline: reader.text(pipeline),
    id: reader.id("--id", id),
    code: reader.text(code),
    before: reader.time("--before", before),
  };
}

function idOf(text: string): number {
  const reader = new FlagReader();
  const id = reader.id("the id", text);
  reader.finish();
  return id!;
}

async function atOffice(
  settings: Settings,
  output: Output,
  work: (office: LetterOffice) => Promise<number>,
): Promise<number> {
  const database = await connect({
    url: settings.postgresUrl!,
    maxConnections: 1,
    applicationName: "pg-tide dlq",
    onNotice: (text) => output.err(`Notice: ${text}`),
  });
  try {
    return await work(new LetterOffice(database));
  } finally {
    await database.close();
  }
}
