/**
 * Where each code block of README.md is run.
 *
 * @module
 */

/** Test files by the block that they run: each names it as a text. */
export const RUN_BY: Readonly<Record<string, string>> = {
  ...blocksOf("tests/integration/readme_test.ts", [
    "from-source",
    "install",
    "relay-role",
    "orders-table",
    "set-up-the-outbox",
    "publish",
    "configure-the-pipeline",
    "start-the-relay",
    "verify",
    "status",
    "production-configuration",
    "nested-configuration",
    "settings-file",
    "operate",
    "publish-more",
    "dead-letters",
    "retry-dead-letters",
    "dead-letters-in-sql",
    "roles",
    "webhook",
    "test-webhook",
    "run-webhook",
    "configure-webhook",
  ]),
  ...blocksOf("tests/integration/sink_kafka/sasl_test.ts", [
    "no-authentication",
    "sasl-plain",
    "sasl-scram",
    "mtls",
  ]),
  ...blocksOf("tests/integration/sink_kafka/oauth_test.ts", ["oauth", "oauth-confluent"]),
  ...blocksOf("tests/integration/sink_kafka/msk_iam_test.ts", [
    "msk-web-identity",
    "msk-pod-identity",
    "msk-ecs",
    "msk-ec2",
  ]),
};

/** Blocks that no test runs as they stand, with the reason. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  demo:
    "it would download and start servers of its own; tests/integration/demo_test.ts runs the same program on those of the tests",
  test: "it runs the tests, so that a test would run itself; .ci/run is this command",
  build: "the tests of the compiled program call buildBinary(), which is all that the task does",
};

function blocksOf(file: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, file]));
}
