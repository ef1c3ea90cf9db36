/**
 * Reading the files that a configuration names, within what the operator allows.
 *
 * @module
 */

import { messageOf } from "../base/errors.ts";
import { folderOf, matchesGlob } from "./glob.ts";

/** The most characters of a file that a configuration names: certificates and secrets are far smaller. */
export const FILE_LENGTH_MAX = 1024 * 1024;

/** The file system, as far as it is needed. Both reject when there is no such file, or no right to it. */
export interface FilePorts {
  readText(path: string): Promise<string>;
  /** The path without symbolic links. */
  realPath(path: string): Promise<string>;
}

/** A reference or a path that does not resolve. */
export class ResolveError extends Error {
  override readonly name = "ResolveError";
}

/** Reads files whose paths the operator allows. */
export class FileReader {
  readonly #allowed: readonly string[];
  readonly #ports: FilePorts;

  /** @param allowed patterns of paths, see `matchesGlob` */
  constructor(allowed: readonly string[], ports: FilePorts) {
    this.#allowed = allowed;
    this.#ports = ports;
  }

  /**
   * The text of a file.
   *
   * The path itself must be allowed. Where its symbolic links lead must be allowed too, or lie in the folder of the
   * pattern that allowed the path: so Kubernetes lays out the secrets that it mounts.
   *
   * @param field for the error
   * @param shown stands for the path in errors; a path that came out of a reference is not shown
   * @throws {ResolveError} when it may not be read, or cannot
   */
  async read(field: string, path: string, shown = `"${path}"`): Promise<string> {
    const allowing = this.#allowed.filter((pattern) => isPlain(path) && matchesGlob(pattern, path));
    if (allowing.length === 0) throw this.#forbidden(field, shown);
    try {
      const real = await this.#ports.realPath(path);
      if (!(await this.#leadsInside(real, allowing))) {
        throw this.#forbidden(field, `${shown} (it is a link to elsewhere)`);
      }
      const text = await this.#ports.readText(real);
      if (text.length <= FILE_LENGTH_MAX) return text;
    } catch (error) {
      if (error instanceof ResolveError) throw error;
      throw new ResolveError(`Cannot read ${field}: file ${shown}: ${fileTrouble(error)}`);
    }
    throw new ResolveError(
      `Cannot read ${field}: file ${shown} is larger than ${FILE_LENGTH_MAX} characters`,
    );
  }

  async #leadsInside(real: string, allowing: readonly string[]): Promise<boolean> {
    if (this.#allowed.some((pattern) => matchesGlob(pattern, real))) return true;
    for (const pattern of allowing) {
      // The folder may be a link itself, as /etc is on macOS.
      const folder = await this.#ports.realPath(folderOf(pattern));
      if (folder !== "" && folder !== "/" && real.startsWith(`${folder}/`)) return true;
    }
    return false;
  }

  #forbidden(field: string, shown: string): ResolveError {
    const allowed = this.#allowed.join(", ") || "no file";
    return new ResolveError(
      `Cannot read ${field}: file ${shown} is not allowed, expected ${allowed} (the relay's --allow-file)`,
    );
  }
}

/** An absolute path that goes nowhere up. */
function isPlain(path: string): boolean {
  return path.startsWith("/") && !path.includes("\0") && !path.split("/").includes("..");
}

/** What is wrong with a file, without the file's text. */
function fileTrouble(error: unknown): string {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotFound") return "there is no such file";
  if (name === "PermissionDenied" || name === "NotCapable") return "the relay may not read it";
  // The system puts the path behind a colon.
  return messageOf(error).split(":", 1)[0]!;
}
