import { type Fault, FaultError, type Json } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import {
  AWS_KEYS,
  containerService,
  instanceService,
  securityTokenService,
} from "../../support/aws_services.ts";
import { openConfiguration } from "../../support/kafka_configuration.ts";
import { openInProcess } from "../../support/kafka_sink.ts";
import { secureKafka } from "../../support/kafka_secure.ts";
import { LoopbackServer } from "../../support/loopback_server.ts";
import { readmeBlock } from "../../support/readme.ts";
import { SaslTap } from "../../support/sasl_tap.ts";

type Fields = Readonly<Record<string, Json>>;

const ROLE = "arn:aws:iam::123456789012:role/relay";

/**
 * Show a broker of our own who one is, which believes no AWS identity. MSK offers TLS only; without it what is shown can be seen.
 *
 * @returns what was shown, and what came of it
 */
async function show(fields: Fields) {
  const secure = await secureKafka();
  await using tap = await SaslTap.to(Number(secure.listeners.SASL_PLAINTEXT.split(":")[1]));
  const error = await openInProcess({
    brokers: `127.0.0.1:${tap.port}`,
    sasl_mechanism: "AWS_MSK_IAM",
    sasl_aws_region: "eu-central-1",
    ...fields,
  }).then(() => assert.fail("the broker believes it"), (error: unknown) => error);
  assert.ok(error instanceof FaultError && error.fault.kind === "configuration", String(error));
  return { mechanisms: tap.mechanisms, shown: tap.shown, fault: error.fault satisfies Fault };
}

/** The parameters of the URL in a client's first message (RFC 7628, 3.1). */
function tokenIn(message: string): Readonly<Record<string, string>> {
  const [start, auth, ...end] = message.split("\x01");
  assert.deepEqual([start, end], ["n,,", ["", ""]], JSON.stringify(message));
  const [, token = ""] = /^auth=Bearer ([A-Za-z0-9_-]+)$/.exec(auth ?? "") ?? [];
  const url = new URL(new TextDecoder().decode(Uint8Array.fromBase64(token, { alphabet: "base64url" })));
  assert.equal(`${url.origin}${url.pathname}`, "https://kafka.eu-central-1.amazonaws.com/");
  return Object.fromEntries(url.searchParams);
}

const { accessKeyId, secretAccessKey, sessionToken } = AWS_KEYS;

/** For each source of credentials the fields that name it, and the service that is asked. */
const SOURCES: Readonly<Record<string, (origin: string) => Fields>> = {
  static: () => ({
    sasl_aws_access_key_id: accessKeyId,
    sasl_aws_secret_access_key: secretAccessKey,
    sasl_aws_session_token: sessionToken,
  }),
  container: (origin) => ({
    sasl_aws_credentials_url: `${origin}/v1/credentials`,
    sasl_aws_credentials_token: "pod token\n",
  }),
  instance: (origin) => ({ sasl_aws_credentials_url: origin }),
  web_identity: (origin) => ({
    sasl_aws_sts_url: origin,
    sasl_aws_role_arn: ROLE,
    sasl_aws_web_identity_token: "account token\n",
  }),
};

const SERVICES = {
  static: () => new Response(null, { status: 500 }),
  container: containerService({ path: "/v1/credentials", authorization: "pod token" }),
  instance: instanceService({ role: "relay" }),
  web_identity: securityTokenService({ roleArn: ROLE, token: "account token" }),
} as const;

for (const [kind, fieldsAt] of Object.entries(SOURCES)) {
  Deno.test(`AWS_MSK_IAM shows a broker a signed URL by OAUTHBEARER, with credentials: ${kind}`, async () => {
    await using service = new LoopbackServer(SERVICES[kind as keyof typeof SERVICES]);
    const nowMs = Date.now();
    const { mechanisms, shown, fault } = await show({
      sasl_aws_credentials: kind,
      ...fieldsAt(service.origin),
    });
    assert.deepEqual(mechanisms, ["OAUTHBEARER"]);
    const { "X-Amz-Date": date, "X-Amz-Signature": signature, "X-Amz-Credential": credential, ...rest } =
      tokenIn(
        shown[0] ?? "",
      );
    assert.deepEqual(rest, {
      "Action": "kafka-cluster:Connect",
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Expires": "900",
      "X-Amz-Security-Token": sessionToken,
      "X-Amz-SignedHeaders": "host",
      "User-Agent": "pg-tide",
    });
    assert.match(signature ?? "", /^[0-9a-f]{64}$/);
    assert.equal(credential, `${accessKeyId}/${date?.slice(0, 8)}/eu-central-1/kafka-cluster/aws4_request`);
    const signedAt = date?.replace(/^(....)(..)(..T..)(..)/, "$1-$2-$3:$4:") ?? "";
    assert.ok(Math.abs(Date.parse(signedAt) - nowMs) < 60_000, signedAt);
    // The broker says why it refuses, and fails when it is answered.
    assert.deepEqual(shown.slice(1), ["\x01"]);
    assert.equal(fault.code, "SASL_AUTHENTICATION_FAILED");
    assert.match(
      fault.reason,
      /refused the AWS identity of .* in region eu-central-1 with sasl_mechanism "AWS_MSK_IAM"/,
    );
    assert.ok(
      ![secretAccessKey, sessionToken, "pod token", "account token"].some((secret) =>
        JSON.stringify(fault).includes(secret)
      ),
    );
  });
}

Deno.test("AWS_MSK_IAM says who gives out no credentials, without having shown anything", async () => {
  await using service = new LoopbackServer(instanceService({ role: null }));
  const { shown, fault } = await show({
    sasl_aws_credentials: "instance",
    sasl_aws_credentials_url: service.origin,
  });
  assert.deepEqual(shown, []);
  assert.equal(fault.code, "AWS_CREDENTIALS_REFUSED");
  assert.match(
    fault.reason,
    /^The AWS credential service http:\/\/127\.0\.0\.1:[0-9]+ refuses this instance credentials$/,
  );
});

const POD_TOKEN = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token";
const ACCOUNT_TOKEN = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";

/** For each of the README's blocks the service that stands in for AWS's, and where the block, or its environment, names it. */
const BLOCKS = {
  "msk-web-identity": {
    service: SERVICES.web_identity,
    named: "https://sts.eu-central-1.amazonaws.com",
    env: { AWS_ROLE_ARN: ROLE, AWS_WEB_IDENTITY_TOKEN_FILE: ACCOUNT_TOKEN },
  },
  "msk-pod-identity": {
    service: SERVICES.container,
    named: "http://169.254.170.23",
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: POD_TOKEN,
    },
  },
  "msk-ecs": {
    service: containerService({ path: "/v2/credentials/1" }),
    named: "http://169.254.170.2",
    env: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/1" },
  },
  "msk-ec2": { service: SERVICES.instance, named: "http://169.254.169.254", env: {} },
} as const;

for (const [block, { service: answer, named, env }] of Object.entries(BLOCKS)) {
  Deno.test(`the README's configuration "${block}" gets credentials as far as the operator allows, and shows them`, async () => {
    const secure = await secureKafka();
    await using service = new LoopbackServer(answer);
    const here = (text: string): string => text.replaceAll(named, service.origin);
    const config = {
      ...JSON.parse(here(await readmeBlock(block))),
      brokers: secure.listeners.SASL_SSL,
      tls_ca_cert: secure.authority.certificate,
    };
    const surroundings = {
      env: JSON.parse(here(JSON.stringify(env))),
      files: { [POD_TOKEN]: "pod token\n", [ACCOUNT_TOKEN]: "account token\n" },
      allowEnv: ["AWS_CONTAINER_*", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"],
      allowFile: [POD_TOKEN, ACCOUNT_TOKEN],
      pluginNet: [`kafka=${new URL(service.origin).host}`],
    };
    const opened = await openConfiguration(config, surroundings);
    assert.ok("fault" in opened && opened.fault.kind === "configuration", JSON.stringify(opened));
    assert.equal(opened.fault.code, "SASL_AUTHENTICATION_FAILED", opened.fault.reason);
    assert.ok(service.requests.length > 0);
  });
}
