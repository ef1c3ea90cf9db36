/**
 * The time of day, finer than a millisecond.
 *
 * @module
 */

/**
 * A clock of milliseconds since 1970 with fractions. It is set by waiting for `Date.now()` to step, which is the clock that a
 * broker on this machine reads as well, and then goes on with the monotonic one.
 */
export function wallClock(): () => number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  const offset = now - performance.now();
  return () => offset + performance.now();
}
