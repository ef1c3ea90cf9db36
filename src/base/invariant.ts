/**
 * Assertions that stay on in production: a relay that is wrong about its own state must stop, not deliver.
 *
 * @module
 */

/** A broken assertion: a bug in pg-tide. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * Assert what must hold whatever the input.
 *
 * @throws {InvariantError} when `condition` is false
 */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(`Broken invariant: ${what}`);
}
