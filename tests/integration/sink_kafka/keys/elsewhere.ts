/**
 * Keys whose effect is shown by other tests than the steps of `keys_test.ts`: by name, the test that does it.
 *
 * @module
 */

const FOLDER = "tests/integration/sink_kafka";

/** See the module. Paths from the repository's root. */
export const SHOWN_ELSEWHERE: Readonly<Record<string, string>> = {
  tls_enabled: `${FOLDER}/tls_test.ts`,
};
