/**
 * Messages that a stage on the kernel's side cannot process.
 *
 * @module
 */

/** A message that a stage on the kernel's side cannot process; it goes to the dead letters alone. */
export interface RowRejection {
  /** Its row in the page that the stage was given. */
  readonly row: number;
  /** A stable code: `TRANSFORM_FAILED`, `TEMPLATE_VALUE_MISSING`, … */
  readonly code: string;
  readonly reason: string;
}
