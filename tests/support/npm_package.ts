/**
 * Fetches one exact npm package as data: nothing of it is installed or run by npm.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { runOrThrow } from "./command.ts";
import { requireTool } from "./required_tool.ts";

/** One version of a package, and what its archive must be. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** `sha512-…` of the archive, as the registry publishes it; checked here again. */
  readonly integrity: string;
}

/**
 * Download a package into `folder` and unpack it there.
 *
 * @param only the one file wanted, such as `package/bin/tool`; everything by default
 * @returns the folder that holds the package's files
 * @throws Error when the package cannot be downloaded, or is not the expected one
 */
export async function fetchNpmPackage(wanted: NpmPackage, folder: string, only?: string): Promise<string> {
  const title = `${wanted.name}@${wanted.version}`;
  const archive = await download(title, folder);
  const bytes = await Deno.readFile(archive);
  const digest = Buffer.from(await crypto.subtle.digest("SHA-512", bytes)).toString("base64");
  if (`sha512-${digest}` !== wanted.integrity) {
    throw new Error(`Cannot use ${title}: its integrity is sha512-${digest}, expected ${wanted.integrity}`);
  }
  await runOrThrow("tar", ["-xzf", archive, "-C", folder, "--no-same-owner", ...(only ? [only] : [])]);
  await Deno.remove(archive);
  return join(folder, "package");
}

async function download(title: string, folder: string): Promise<string> {
  await requireTool("npm");
  try {
    await runOrThrow("npm", ["pack", "--loglevel=error", "--pack-destination", folder, title], {
      cwd: folder,
    });
  } catch (error) {
    throw new Error(
      `Cannot download the npm package ${title}: is the npm registry reachable? Try: npm pack ${title}`,
      {
        cause: error,
      },
    );
  }
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && entry.name.endsWith(".tgz")) return join(folder, entry.name);
  }
  throw new Error(`Cannot download the npm package ${title}: npm pack wrote no archive`);
}
