/**
 * The classes of Kafka's jars as a JVM has loaded them once (dynamic AppCDS): with them the next ones start in half the time.
 *
 * The first server that ends in an orderly way leaves them beside the jars. Until then, and where they do not fit any more, JVMs start
 * as ever.
 *
 * @module
 */

import { join } from "node:path";
import { exists } from "./cache.ts";
import { runCommand } from "./command.ts";

/** What a JVM calls the file that it makes. */
const FRESH = "classes.jsa";

/** A JVM says on its standard output when an archive does not fit, where it would be taken for a program's own. */
const SILENT = "-Xlog:disable";

let java: Promise<string> | undefined;

/** Options of a JVM that shall use the archive, if there is one. @param jars the whole of its class path */
export async function useClassArchive(jars: string): Promise<readonly string[]> {
  const archive = await archiveOf(jars);
  return await exists(archive) ? [SILENT, `-XX:SharedArchiveFile=${archive}`] : [];
}

/** Options of a JVM that shall use the archive, or make it when it ends. @param folder where it may write */
export async function makeClassArchive(jars: string, folder: string): Promise<readonly string[]> {
  const known = await useClassArchive(jars);
  return known.length > 0 ? known : [SILENT, `-XX:ArchiveClassesAtExit=${join(folder, FRESH)}`];
}

/** Take over what a JVM has made that has ended, if it has. */
export async function keepClassArchive(jars: string, folder: string): Promise<void> {
  const fresh = join(folder, FRESH);
  if (!await exists(fresh)) return;
  const archive = await archiveOf(jars);
  const copy = `${archive}.${crypto.randomUUID()}`;
  try {
    await Deno.copyFile(fresh, copy);
    await Deno.rename(copy, archive);
  } catch {
    // A cache that cannot be written costs time, nothing else.
    await Deno.remove(copy).catch(() => {});
  }
  await Deno.remove(fresh);
}

/** An archive fits one build of Java. */
async function archiveOf(jars: string): Promise<string> {
  java ??= identifyJava();
  return join(jars, `classes-${await java}.jsa`);
}

async function identifyJava(): Promise<string> {
  const { stderr } = await runCommand("java", ["-version"]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(stderr));
  return new Uint8Array(digest, 0, 6).toHex();
}
