import type { Fault, Json } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import { authenticationFault } from "../../../../plugins/sink_kafka/fault/authentication.ts";
import { authorizationAdvice } from "../../../../plugins/sink_kafka/fault/authorization.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";

const optionsOf = (fields: Readonly<Record<string, Json>>) =>
  parseOptions(kafkaConfig({ brokers: "a:1", ...fields }).fields);

const OAUTH = optionsOf({
  sasl_mechanism: "OAUTHBEARER",
  sasl_oauth_token_url: "https://login.example.com/token?tenant=hidden",
  sasl_oauth_client_id: "relay",
  sasl_oauth_client_secret: "s3cret",
});

const AWS = { sasl_mechanism: "AWS_MSK_IAM", sasl_aws_region: "eu-west-1", tls_enabled: true };
const STATIC = optionsOf({
  ...AWS,
  sasl_aws_credentials: "static",
  sasl_aws_access_key_id: "AKIDEXAMPLE",
  sasl_aws_secret_access_key: "s3cret",
});
const INSTANCE = optionsOf({
  ...AWS,
  sasl_aws_credentials: "instance",
  sasl_aws_credentials_url: "http://169.254.169.254",
});
const WEB_IDENTITY = optionsOf({
  ...AWS,
  sasl_aws_credentials: "web_identity",
  sasl_aws_role_arn: "arn:aws:iam::123456789012:role/relay",
  sasl_aws_web_identity_token: "s3cret",
  sasl_aws_sts_url: "https://sts.eu-west-1.amazonaws.com",
});

type Options = typeof OAUTH;

function refusalOf(
  { sasl }: Options,
  code = "SASL_AUTHENTICATION_FAILED",
): Extract<Fault, { kind: "configuration" }> {
  const told = { codes: [code], text: "x", said: "invalid_token" };
  const fault = authenticationFault(told, "b:9092", sasl);
  assert.ok(fault?.kind === "configuration");
  assert.doesNotMatch(JSON.stringify(fault), /s3cret|hidden/);
  return fault;
}

Deno.test("authenticationFault() says whose token was refused, by whom it was given, and what the broker says", () => {
  const { reason, advice } = refusalOf(OAUTH);
  assert.equal(
    reason,
    "SASL authentication failed: broker b:9092 refused the token that https://login.example.com/token gave to client " +
      '"relay" with sasl_mechanism "OAUTHBEARER": invalid_token',
  );
  assert.match(advice, /expected\.issuer.*expected\.audience.*sasl_oauth_extensions$/);
});

Deno.test("authenticationFault() says which AWS identity was refused, without its secrets", () => {
  const shown = [
    [STATIC, "access key AKIDEXAMPLE"],
    [INSTANCE, "this instance"],
    [WEB_IDENTITY, "role arn:aws:iam::123456789012:role/relay"],
  ] as const;
  for (const [options, identity] of shown) {
    const { reason, advice } = refusalOf(options);
    assert.ok(reason.includes(`refused the AWS identity of ${identity} in region eu-west-1`), reason);
    assert.match(advice, /sasl_aws_region.*kafka-cluster:Connect.*clock/);
  }
});

Deno.test("authenticationFault() says by which mechanism AWS_MSK_IAM is sent where it is not offered", () => {
  const { reason } = refusalOf(STATIC, "UNSUPPORTED_SASL_MECHANISM");
  assert.match(reason, /does not offer OAUTHBEARER, by which AWS_MSK_IAM is sent$/);
});

Deno.test("authorizationAdvice() speaks of IAM policies where IAM decides, and of access control lists elsewhere", () => {
  const topic = (options: Options) =>
    authorizationAdvice("TOPIC_AUTHORIZATION_FAILED", "write to", "t", options) ?? "";
  const cluster = (options: Options) =>
    authorizationAdvice("CLUSTER_AUTHORIZATION_FAILED", "get a producer id", undefined, options) ?? "";
  assert.match(topic(STATIC), /kafka-cluster:WriteData.*on topic "t"$/);
  assert.match(
    cluster(STATIC),
    /kafka-cluster:WriteDataIdempotently, on the cluster; or set idempotent to false$/,
  );
  assert.match(topic(OAUTH), /kafka-acls --add --allow-principal User:<the token's subject>/);
  assert.match(cluster(OAUTH), /IdempotentWrite --cluster; or set idempotent to false$/);
  assert.equal(authorizationAdvice("INVALID_TOPIC_EXCEPTION", "write to", "t", STATIC), undefined);
});
