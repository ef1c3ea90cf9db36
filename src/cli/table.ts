/**
 * Tables of text.
 *
 * @module
 */

/** Lines with columns as wide as they need to be; `below` gives lines to stand under a row. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  below: (row: number) => readonly string[] = () => [],
): readonly string[] {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd();
  return [line(headings), ...rows.flatMap((row, i) => [line(row), ...below(i)])];
}
