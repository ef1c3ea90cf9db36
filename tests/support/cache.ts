/**
 * Where the tests keep what they download: each entry is filled once, whoever comes first.
 *
 * @module
 */

import { join } from "node:path";

/**
 * The folder of the cache: `TIDE_TEST_CACHE`, else the user's own cache folder. Root has none that the unprivileged
 * user, as whom PostgreSQL must run, could read, so root uses one under /var/tmp.
 */
export function cacheFolder(): string {
  const chosen = Deno.env.get("TIDE_TEST_CACHE");
  if (chosen) return chosen;
  if (Deno.uid() === 0) return "/var/tmp/pg-tide-cache";
  const base = Deno.env.get("XDG_CACHE_HOME") ?? join(Deno.env.get("HOME") ?? "/var/tmp", ".cache");
  return join(base, "pg-tide");
}

/**
 * The folder of a cache entry. It is filled by `fill` in a new folder beside it, then renamed into place: an
 * interrupted download leaves no half entry, and of two processes that race, one's work is thrown away.
 *
 * @param name a path below the cache folder, which changes whenever the content should
 */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const entry = join(cacheFolder(), name);
  if (await exists(entry)) return entry;
  const parent = join(entry, "..");
  await Deno.mkdir(parent, { recursive: true, mode: 0o755 });
  const work = await Deno.makeTempDir({ dir: parent, prefix: ".work-" });
  try {
    await fill(work);
    await Deno.chmod(work, 0o755);
    await renameUnlessThere(work, entry);
  } finally {
    await Deno.remove(work, { recursive: true }).catch(ignoreNotFound);
  }
  return entry;
}

/** Whether a file or folder is there. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    ignoreNotFound(error);
    return false;
  }
}

/** Swallow "not found", throw everything else. */
export function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

async function renameUnlessThere(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
  } catch (error) {
    // Another process was faster: a folder that is not empty cannot be replaced, and its content is the same.
    if (!(await exists(to))) throw error;
  }
}
