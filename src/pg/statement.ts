/**
 * SQL statements, each in a file of its own in this folder.
 *
 * Read when the program starts rather than imported as text: the oldest supported Deno imports text only with a flag by
 * which any Worker could import any file of the machine.
 *
 * @module
 */

/** The text of `<name>.sql`, without the white space around it. */
export function readStatement(name: string): string {
  return Deno.readTextFileSync(new URL(`./${name}.sql`, import.meta.url)).trim();
}
