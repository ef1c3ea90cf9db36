/**
 * Packaged files of built-in plugins.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const SPECIFIER_REGEXP = /^((?:@[^/]+\/)?[^/]+)\/(.+)$/;

/**
 * The path of a file in a package, from source and inside the compiled program alike.
 *
 * Resolving the file itself fails for what the package does not export, so its place is found from the package's entry.
 *
 * @param specifier the package's mapped name, then the path within it: `@platformatic/wasm-utils/dist/native.wasm`
 * @throws {TypeError} when there is no such package or file
 */
export function resolveAsset(specifier: string): string {
  const [, name, file] = SPECIFIER_REGEXP.exec(specifier) ?? [];
  if (name === undefined || file === undefined) {
    throw new TypeError(`Cannot resolve asset "${specifier}": expected package/path`);
  }
  for (
    let folder = new URL(".", import.meta.resolve(name));
    folder.pathname !== "/";
    folder = parent(folder)
  ) {
    if (!isFile(new URL("package.json", folder))) continue;
    const asset = new URL(file, folder);
    if (isFile(asset)) return fileURLToPath(asset);
  }
  throw new TypeError(`Cannot resolve asset "${specifier}": package ${name} has no such file`);
}

function parent(folder: URL): URL {
  return new URL("..", folder);
}

function isFile(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch {
    return false;
  }
}
