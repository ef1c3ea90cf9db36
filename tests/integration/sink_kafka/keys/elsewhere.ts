/**
 * Keys whose effect other tests show than the steps of `keys_test.ts`, by the test that does it. A test must name the keys that stand
 * here.
 *
 * @module
 */

/** See the module. Paths from the repository's root. */
export const SHOWN_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  "tests/integration/sink_kafka/msk_iam_test.ts": [
    "sasl_aws_access_key_id",
    "sasl_aws_credentials",
    "sasl_aws_credentials_token",
    "sasl_aws_credentials_url",
    "sasl_aws_region",
    "sasl_aws_role_arn",
    "sasl_aws_secret_access_key",
    "sasl_aws_session_token",
    "sasl_aws_sts_url",
    "sasl_aws_web_identity_token",
  ],
  "tests/integration/sink_kafka/oauth_test.ts": [
    "sasl_oauth_ca_cert",
    "sasl_oauth_client_secret",
    "sasl_oauth_extensions",
    "sasl_oauth_scope",
  ],
  "tests/integration/sink_kafka/partition_test.ts": ["partition"],
  "tests/integration/sink_kafka/sasl_test.ts": ["sasl_mechanism", "sasl_password", "sasl_username"],
  "tests/integration/sink_kafka/tls_test.ts": [
    "tls_ca_cert",
    "tls_client_cert",
    "tls_client_key",
    "tls_client_key_password",
    "tls_enabled",
    "tls_insecure_skip_verify",
  ],
  // What the sinks of oauth_test.ts are given.
  "tests/support/oauth_server.ts": ["sasl_oauth_client_id", "sasl_oauth_token_url"],
};
