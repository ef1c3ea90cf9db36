/**
 * Which schema this program works with.
 *
 * @module
 */

/** The versions of the schema `tide` that this program can run on. Relays run while a newer one is installed. */
export const SCHEMA = {
  oldest: 15,
  newest: 15,
} as const;

/** The oldest PostgreSQL, as a major version. */
export const POSTGRES_OLDEST = 14;
