/**
 * Patterns of names and paths.
 *
 * @module
 */

/**
 * A pattern as a test: `*` stands for any characters but `/`, `**` for any characters, all else for itself. The whole text must match.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const source = pattern.split(/(\*+)/).map((piece) => {
    if (piece === "*") return "[^/]*";
    return piece.startsWith("**") ? ".*" : piece.replace(/[\\^$.+?()[\]{}|/]/g, "\\$&");
  });
  return new RegExp(`^${source.join("")}$`, "su").test(text);
}

/** The folder that all matches of a path pattern lie in: what stands before the first `*`. */
export function folderOf(pattern: string): string {
  const fixed = pattern.split("*", 1)[0]!;
  return fixed === pattern ? pattern : fixed.slice(0, fixed.lastIndexOf("/"));
}
