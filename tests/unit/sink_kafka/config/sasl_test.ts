import { FaultError, type Json } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { onlySecretsDiffer, parseOptions } from "../../../../plugins/sink_kafka/config/options.ts";
import { parseSasl } from "../../../../plugins/sink_kafka/config/sasl.ts";
import { MANIFEST } from "../../../../plugins/sink_kafka/manifest.ts";
import { parsePipeline } from "../../../../src/config/pipeline.ts";
import { makeCertificate } from "../../../support/certificate.ts";
import { kafkaConfig } from "../../../support/kafka_sink.ts";

type Fields = Readonly<Record<string, Json>>;

const OAUTH: Fields = {
  sasl_mechanism: "OAUTHBEARER",
  sasl_oauth_token_url: "https://login.example.com/oauth2/token",
  sasl_oauth_client_id: "relay",
  sasl_oauth_client_secret: "secret",
};

const AWS: Fields = { sasl_mechanism: "AWS_MSK_IAM", sasl_aws_region: "eu-west-1", tls_enabled: true };
const STATIC: Fields = {
  ...AWS,
  sasl_aws_credentials: "static",
  sasl_aws_access_key_id: "AK",
  sasl_aws_secret_access_key: "SK",
};
const CONTAINER: Fields = {
  ...AWS,
  sasl_aws_credentials: "container",
  sasl_aws_credentials_url: "http://169.254.170.23/v1/credentials",
};
const INSTANCE: Fields = {
  ...AWS,
  sasl_aws_credentials: "instance",
  sasl_aws_credentials_url: "http://169.254.169.254",
};
const WEB_IDENTITY: Fields = {
  ...AWS,
  sasl_aws_credentials: "web_identity",
  sasl_aws_role_arn: "arn:aws:iam::123456789012:role/relay",
  sasl_aws_web_identity_token: "/var/run/secrets/token",
  sasl_aws_sts_url: "https://sts.eu-west-1.amazonaws.com",
};

/** What is wrong with a configuration. */
function problems(fields: Fields): readonly string[] {
  const whole = { sink_type: "kafka", brokers: "localhost:9092", topic: "t", ...fields };
  return parsePipeline(whole, [MANIFEST]).problems.map(({ message }) => message);
}

const without = (fields: Fields, name: string): Fields => ({ ...fields, [name]: null });

const parse = (fields: Fields) => parseOptions(kafkaConfig({ brokers: "a:1", ...fields }).fields);

Deno.test("the rules of SASL pass what is whole, for each mechanism and each source of credentials", () => {
  const whole = [
    {},
    { sasl_mechanism: "PLAIN", sasl_username: "u", sasl_password: "p" },
    OAUTH,
    { ...OAUTH, sasl_oauth_scope: "kafka", sasl_oauth_extensions: { logicalCluster: "lkc-1" } },
    STATIC,
    { ...STATIC, sasl_aws_session_token: "ST" },
    CONTAINER,
    { ...CONTAINER, sasl_aws_credentials_token: "/var/run/secrets/pod" },
    INSTANCE,
    WEB_IDENTITY,
  ];
  for (const fields of whole) assert.deepEqual(problems(fields), [], JSON.stringify(fields));
});

Deno.test("the rules of SASL name each field that a mechanism or a source of credentials needs", () => {
  const needed: readonly (readonly [Fields, readonly string[]])[] = [
    [{ sasl_mechanism: "PLAIN", sasl_username: "u", sasl_password: "p" }, ["sasl_username", "sasl_password"]],
    [OAUTH, ["sasl_oauth_token_url", "sasl_oauth_client_id", "sasl_oauth_client_secret"]],
    [AWS, ["sasl_aws_region", "sasl_aws_credentials"]],
    [STATIC, ["sasl_aws_access_key_id", "sasl_aws_secret_access_key"]],
    [CONTAINER, ["sasl_aws_credentials_url"]],
    [INSTANCE, ["sasl_aws_credentials_url"]],
    [WEB_IDENTITY, ["sasl_aws_role_arn", "sasl_aws_web_identity_token", "sasl_aws_sts_url"]],
  ];
  for (const [fields, names] of needed) {
    for (const name of names) {
      const found = problems(without(fields, name));
      const chooser = /^sasl_aws_(?!region|credentials$)/.test(name)
        ? "sasl_aws_credentials"
        : "sasl_mechanism";
      const rule = new RegExp(`^${chooser} is "[A-Za-z_]+", which needs ${name}: set it to .`);
      assert.equal(found.filter((message) => rule.test(message)).length, 1, `${name}: ${found.join("; ")}`);
    }
  }
});

Deno.test("the rules of SASL name each field that is set for nothing", () => {
  const stray: readonly (readonly [Fields, Fields, RegExp])[] = [
    [
      {},
      { sasl_username: "u" },
      /^sasl_username is only used with sasl_mechanism "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512": /,
    ],
    [OAUTH, { sasl_password: "p" }, /^sasl_password is only used with sasl_mechanism "PLAIN"/],
    [{}, { sasl_oauth_scope: "s" }, /^sasl_oauth_scope is only used with sasl_mechanism "OAUTHBEARER": /],
    [
      STATIC,
      { sasl_oauth_client_id: "c" },
      /^sasl_oauth_client_id is only used with sasl_mechanism "OAUTHBEARER"/,
    ],
    [
      OAUTH,
      { sasl_aws_region: "eu-west-1" },
      /^sasl_aws_region is only used with sasl_mechanism "AWS_MSK_IAM"/,
    ],
    [
      STATIC,
      { sasl_aws_credentials_url: "http://a/" },
      /^sasl_aws_credentials_url .* sasl_aws_credentials "container" or "instance"/,
    ],
    [CONTAINER, { sasl_aws_access_key_id: "A" }, /^sasl_aws_access_key_id .* sasl_aws_credentials "static"/],
    [CONTAINER, { sasl_aws_session_token: "T" }, /^sasl_aws_session_token .* sasl_aws_credentials "static"/],
    [INSTANCE, { sasl_aws_credentials_token: "/t" }, /^sasl_aws_credentials_token .* "container"/],
    [STATIC, { sasl_aws_sts_url: "https://sts" }, /^sasl_aws_sts_url .* sasl_aws_credentials "web_identity"/],
    [STATIC, { tls_enabled: false }, /^sasl_mechanism is "AWS_MSK_IAM", which MSK offers over TLS only/],
  ];
  for (const [fields, more, message] of stray) {
    const found = problems({ ...fields, ...more });
    assert.equal(found.length, 1, found.join("; "));
    assert.match(found[0]!, message);
  }
});

Deno.test("secrets are sent to URLs by TLS only, or to this machine", () => {
  const good = [
    "https://login.example.com",
    "https://login.example.com:8443/a/b?tenant=x",
    "http://localhost:8080/token",
    "http://127.0.0.1/token",
    "http://[::1]:9/",
  ];
  const bad = [
    "http://login.example.com/token",
    "http://127.0.0.1.example.com/token",
    "http://localhost.example.com/token",
    "https://user:password@login.example.com/token",
    "https://login.example.com/token#x",
    "https://",
    "ftp://localhost/",
    "login.example.com",
    " https://login.example.com",
  ];
  for (const name of ["sasl_oauth_token_url", "sasl_aws_sts_url"]) {
    const fields = name === "sasl_oauth_token_url" ? OAUTH : WEB_IDENTITY;
    for (const url of good) assert.deepEqual(problems({ ...fields, [name]: url }), [], url);
    for (const url of bad) {
      assert.match(
        problems({ ...fields, [name]: url })[0] ?? "",
        /a URL with https, or with http on this machine$/,
        url,
      );
    }
  }
});

Deno.test("sasl_aws_region and sasl_aws_role_arn are what AWS calls so", () => {
  for (
    const region of ["eu-central-1", "us-gov-west-1", "ap-southeast-4", "cn-northwest-1", "us-isob-east-1"]
  ) {
    assert.deepEqual(problems({ ...STATIC, sasl_aws_region: region }), [], region);
  }
  for (const region of ["", "eu", "eu-central-1.evil.example", "EU-CENTRAL-1", "eu-central-1/"]) {
    assert.match(problems({ ...STATIC, sasl_aws_region: region })[0] ?? "", /the name of a region$/, region);
  }
  for (const arn of ["relay", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x"]) {
    assert.match(problems({ ...WEB_IDENTITY, sasl_aws_role_arn: arn })[0] ?? "", /the ARN of a role$/, arn);
  }
});

Deno.test("parseSasl() gives what each mechanism needs, and no more", async () => {
  const { certificate } = await makeCertificate();
  const parsed = (fields: Fields) => parseSasl(kafkaConfig(fields).fields);
  assert.equal(parsed({}), undefined);
  assert.deepEqual(
    parsed({
      ...OAUTH,
      sasl_oauth_scope: "kafka",
      sasl_oauth_extensions: { logicalCluster: "lkc-1", identityPoolId: "pool-1" },
      sasl_oauth_ca_cert: `a comment\n${certificate}`,
    }),
    {
      mechanism: "OAUTHBEARER",
      tokenUrl: "https://login.example.com/oauth2/token",
      clientId: "relay",
      clientSecret: "secret",
      scope: "kafka",
      extensions: { identityPoolId: "pool-1", logicalCluster: "lkc-1" },
      ca: certificate,
    },
  );
  const aws = (source: unknown) => ({ mechanism: "AWS_MSK_IAM", region: "eu-west-1", source });
  assert.deepEqual(parsed(STATIC), aws({ kind: "static", accessKeyId: "AK", secretAccessKey: "SK" }));
  assert.deepEqual(
    parsed({ ...CONTAINER, sasl_aws_credentials_token: "pod token\n" }),
    aws({ kind: "container", url: "http://169.254.170.23/v1/credentials", authorization: "pod token" }),
  );
  assert.deepEqual(parsed(INSTANCE), aws({ kind: "instance", url: "http://169.254.169.254" }));
  assert.deepEqual(
    parsed({ ...WEB_IDENTITY, sasl_aws_web_identity_token: "account token\n" }),
    aws({
      kind: "web_identity",
      url: "https://sts.eu-west-1.amazonaws.com",
      roleArn: "arn:aws:iam::123456789012:role/relay",
      token: "account token",
    }),
  );
});

Deno.test("parseSasl() refuses extensions that a broker could not read, and shows no value", () => {
  const extensions: readonly (readonly [Fields, RegExp])[] = [
    [{ "logical-cluster": "lkc" }, /the name "logical-cluster", expected letters/],
    [{ auth: "Bearer x" }, /the name "auth", expected letters, and not "auth"/],
    [{ logicalCluster: "" }, /the value of "logicalCluster", expected a text of ASCII/],
    [
      { logicalCluster: "hidden\x01auth=Bearer x" },
      /the value of "logicalCluster", expected a text of ASCII/,
    ],
  ];
  for (const [sasl_oauth_extensions, problem] of extensions) {
    assert.throws(() => parse({ ...OAUTH, sasl_oauth_extensions }), (error: Error) => {
      assert.ok(error instanceof FaultError && error.fault.kind === "configuration");
      assert.match(error.fault.reason, problem);
      assert.doesNotMatch(error.fault.reason, /hidden/);
      return true;
    });
  }
});

Deno.test("onlySecretsDiffer() lets every secret of SASL change on running connections, and nothing that says who one is", async () => {
  const [one, other] = await Promise.all([makeCertificate(), makeCertificate()]);
  const oauth = { ...OAUTH, sasl_oauth_ca_cert: one.certificate };
  const pod = { ...CONTAINER, sasl_aws_credentials_token: "old" };
  const changes: readonly (readonly [fields: Fields, change: Fields, only: boolean])[] = [
    [oauth, { sasl_oauth_client_secret: "new" }, true],
    [oauth, { sasl_oauth_ca_cert: other.certificate }, true],
    [oauth, { sasl_oauth_client_id: "other" }, false],
    [oauth, { sasl_oauth_token_url: "https://elsewhere.example" }, false],
    [oauth, { sasl_oauth_scope: "more" }, false],
    [oauth, { sasl_oauth_extensions: { identityPoolId: "pool" } }, false],
    [STATIC, { sasl_aws_access_key_id: "B", sasl_aws_secret_access_key: "new" }, true],
    [STATIC, { sasl_aws_session_token: "new" }, true],
    [STATIC, { sasl_aws_region: "eu-west-2" }, false],
    [pod, { sasl_aws_credentials_token: "new" }, true],
    [pod, { sasl_aws_credentials_url: "http://169.254.170.2/x" }, false],
    [WEB_IDENTITY, { sasl_aws_web_identity_token: "new" }, true],
    [WEB_IDENTITY, { sasl_aws_role_arn: "arn:aws:iam::123456789012:role/other" }, false],
    [INSTANCE, { sasl_aws_credentials_url: "http://169.254.169.253" }, false],
  ];
  for (const [fields, change, only] of changes) {
    assert.equal(
      onlySecretsDiffer(parse(fields), parse({ ...fields, ...change })),
      only,
      JSON.stringify(Object.keys(change)),
    );
  }
});
