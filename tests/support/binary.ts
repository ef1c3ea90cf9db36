/**
 * Compiles `dist/pg-tide`, unless it is there and made from these very sources.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { WORKER_ENTRIES } from "../../plugins/registry.ts";
import { exists, ignoreNotFound } from "./cache.ts";
import { type CommandResult, lastLines, runCommand } from "./command.ts";
import { denort, DENORT_VERSION } from "./denort.ts";
import { ROOT } from "./repository.ts";

/** The compiled program. */
export const BINARY = join(ROOT, "dist", "pg-tide");

/** What the program may do; each Worker gets less. It never writes a file and never runs a program. */
export const PERMISSIONS = [
  "--allow-net",
  "--allow-read",
  "--allow-env",
  "--allow-sys=hostname",
  "--no-prompt",
];

/** Everything that decides what the program is. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "src", "plugins", "tests/support/binary.ts"];

/** Downloading a runtime may take a while; an unreachable server shall not take longer. */
const DOWNLOAD_LIMIT_MS = 300_000;

/** How a build came about. */
export interface Build {
  readonly path: string;
  /** False when the program was there already. */
  readonly compiled: boolean;
  /** The version of Deno whose runtime is inside. */
  readonly deno: string;
}

/**
 * Compile the program, if a source has changed since. The running Deno compiles when it has, or can download, its
 * runtime; otherwise Deno 2.7.14 does, whose runtime comes from a package registry.
 *
 * @throws Error when neither can, with what they said
 */
export async function buildBinary(): Promise<Build> {
  const stamp = join(dirname(BINARY), ".pg-tide.sources");
  const hash = await hashOfSources();
  const known = (await Deno.readTextFile(stamp).catch(ignoreNotFound))?.split(" ");
  const deno = known?.[1];
  if (known?.[0] === hash && deno !== undefined && await exists(BINARY)) {
    return { path: BINARY, compiled: false, deno };
  }
  await Deno.mkdir(dirname(BINARY), { recursive: true });
  const work = await Deno.makeTempDir({ dir: dirname(BINARY), prefix: ".build-" });
  try {
    const output = join(work, basename(BINARY));
    const version = await compile(output);
    await Deno.rename(output, BINARY);
    await Deno.writeTextFile(stamp, `${hash} ${version}`);
    return { path: BINARY, compiled: true, deno: version };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function compile(output: string): Promise<string> {
  const args = await compileArgs(output);
  const signal = AbortSignal.timeout(DOWNLOAD_LIMIT_MS);
  const own = await runCommand(Deno.execPath(), args, { cwd: ROOT, signal });
  if (own.code === 0) return Deno.version.deno;
  // A program that cannot be compiled at all fails here as well, and 2.7.14 then says why.
  const env = { DENORT_BIN: await denort(), DENO_TLS_CA_STORE: "system" };
  const other = await runCommand("npx", ["-y", `deno@${DENORT_VERSION}`, ...args], { cwd: ROOT, env });
  if (other.code === 0) return DENORT_VERSION;
  throw new Error(
    `Cannot compile pg-tide\n${described(Deno.version.deno, own)}\n${described(DENORT_VERSION, other)}`,
  );
}

function described(version: string, result: CommandResult): string {
  return `Deno ${version} said:\n${lastLines(result.stderr, 12)}`;
}

async function compileArgs(output: string): Promise<string[]> {
  const statements = (await filesBelow("src")).filter((path) => path.endsWith(".sql"));
  const included = [...WORKER_ENTRIES.map(pathOf), ...statements].flatMap((path) => ["--include", path]);
  return ["compile", "--frozen", "--no-check", ...PERMISSIONS, ...included, "--output", output, "main.ts"];
}

function pathOf(entry: string | URL): string {
  return fileURLToPath(entry);
}

async function hashOfSources(): Promise<string> {
  const hash = createHash("sha256").update(Deno.version.deno);
  for (const source of SOURCES) {
    for (const path of await filesBelow(source)) {
      hash.update(`\n${path}\n`).update(await Deno.readFile(join(ROOT, path)));
    }
  }
  return hash.digest("hex");
}

/** Every file of a folder of the checkout, or the file itself, in a fixed order. */
async function filesBelow(path: string): Promise<string[]> {
  if ((await Deno.stat(join(ROOT, path))).isFile) return [path];
  const entries = await Array.fromAsync(Deno.readDir(join(ROOT, path)));
  const below = await Promise.all(
    entries.map(({ name, isDirectory }) => isDirectory ? filesBelow(join(path, name)) : [join(path, name)]),
  );
  return below.flat().toSorted();
}
