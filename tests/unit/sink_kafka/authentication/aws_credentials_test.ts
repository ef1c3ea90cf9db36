import { type Fault, FaultError } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { awsCredentialsFrom } from "../../../../plugins/sink_kafka/authentication/aws_credentials.ts";
import { SYSTEM_CLOCK } from "../../../../plugins/sink_kafka/clock.ts";
import type { AwsCredentialSource } from "../../../../plugins/sink_kafka/config/sasl_aws.ts";
import {
  AWS_KEYS,
  containerService,
  instanceService,
  securityTokenService,
} from "../../../support/aws_services.ts";
import { LoopbackServer } from "../../../support/loopback_server.ts";

const ROLE = "arn:aws:iam::123456789012:role/relay";

const { accessKeyId, secretAccessKey, sessionToken } = AWS_KEYS;

/** Whether credentials are those of the services, and good for an hour. */
async function assertGood(source: AwsCredentialSource): Promise<void> {
  const { expiresAtMs, ...keys } = await awsCredentialsFrom(source, SYSTEM_CLOCK)();
  assert.deepEqual(keys, { accessKeyId, secretAccessKey, sessionToken });
  const leftMs = expiresAtMs - SYSTEM_CLOCK.monotonicMs();
  assert.ok(leftMs > 3_000_000 && leftMs <= 3_600_000, String(leftMs));
}

async function faultOf(source: AwsCredentialSource): Promise<Exclude<Fault, { kind: "hosts" }>> {
  const error = await awsCredentialsFrom(source, SYSTEM_CLOCK)().then(
    () => assert.fail("there are some"),
    (e) => e,
  );
  assert.ok(error instanceof FaultError && error.fault.kind !== "hosts", String(error));
  assert.ok(!JSON.stringify(error.fault).includes(secretAccessKey), "the secret is told");
  assert.doesNotMatch(
    JSON.stringify(error.fault),
    /v1\/credentials/,
    "the path by which a container is recognised is told",
  );
  return error.fault;
}

Deno.test("awsCredentialsFrom() gives static keys as they are, for ever", async () => {
  const source = { kind: "static", accessKeyId: "A", secretAccessKey: "S" } as const;
  assert.deepEqual(await awsCredentialsFrom(source, SYSTEM_CLOCK)(), {
    accessKeyId: "A",
    secretAccessKey: "S",
    sessionToken: undefined,
    expiresAtMs: Infinity,
  });
});

Deno.test("awsCredentialsFrom() asks an ECS task's service, and an EKS pod's with its token", async () => {
  await using ecs = new LoopbackServer(containerService({ path: "/v2/credentials/0a1b" }));
  await assertGood({ kind: "container", url: `${ecs.origin}/v2/credentials/0a1b` });
  await using eks = new LoopbackServer(
    containerService({ path: "/v1/credentials", authorization: "pod token" }),
  );
  await assertGood({ kind: "container", url: `${eks.origin}/v1/credentials`, authorization: "pod token" });
});

Deno.test("awsCredentialsFrom() says what to look at when a container's service refuses, or is another one", async () => {
  await using eks = new LoopbackServer(
    containerService({ path: "/v1/credentials", authorization: "pod token" }),
  );
  const refused = await faultOf({
    kind: "container",
    url: `${eks.origin}/v1/credentials`,
    authorization: "old",
  });
  assert.ok(refused.kind === "configuration");
  assert.equal(refused.code, "AWS_CREDENTIALS_REFUSED");
  assert.match(
    refused.advice,
    /sasl_aws_credentials_token names the file in AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE/,
  );
  const elsewhere = await faultOf({ kind: "container", url: `${eks.origin}/` });
  assert.ok(elsewhere.kind === "configuration");
  assert.match(elsewhere.reason, /answers 404 Not Found .*expected JSON with AWS credentials$/);
  for (const body of ["{}", "<html>", "null", `{"AccessKeyId": "A", "SecretAccessKey": 1}`]) {
    await using other = new LoopbackServer(() => new Response(body));
    const fault = await faultOf({ kind: "container", url: other.origin });
    assert.ok(fault.kind === "configuration");
    assert.match(fault.reason, /expected JSON with AWS credentials$/);
  }
  await eks.halt();
  assert.equal((await faultOf({ kind: "container", url: eks.origin })).kind, "unavailable");
});

Deno.test("awsCredentialsFrom() asks an instance's service by a session of its own (IMDSv2)", async () => {
  await using service = new LoopbackServer(instanceService({ role: "relay" }));
  await assertGood({ kind: "instance", url: service.origin });
  assert.deepEqual(service.requests.map(({ method, path }) => `${method} ${path}`), [
    "PUT /latest/api/token",
    "GET /latest/meta-data/iam/security-credentials/",
    "GET /latest/meta-data/iam/security-credentials/relay",
  ]);
});

Deno.test("awsCredentialsFrom() says what an instance lacks", async () => {
  await using bare = new LoopbackServer(instanceService({ role: null }));
  const without = await faultOf({ kind: "instance", url: bare.origin });
  assert.ok(without.kind === "configuration");
  assert.match(without.advice, /Attach an IAM role/);
  await using off = new LoopbackServer(() => new Response("", { status: 403 }));
  const disabled = await faultOf({ kind: "instance", url: off.origin });
  assert.ok(disabled.kind === "configuration");
  assert.match(disabled.advice, /Turn the instance's metadata service on/);
  await using down = new LoopbackServer(() => new Response("", { status: 503 }));
  assert.equal((await faultOf({ kind: "instance", url: down.origin })).kind, "unavailable");
});

Deno.test("awsCredentialsFrom() takes a role by a service account's token", async () => {
  await using sts = new LoopbackServer(securityTokenService({ roleArn: ROLE, token: "account token" }));
  await assertGood({ kind: "web_identity", url: sts.origin, roleArn: ROLE, token: "account token" });
  const form = new URLSearchParams(sts.requests[0]?.body);
  assert.deepEqual([form.get("Version"), form.get("RoleSessionName")], ["2011-06-15", "pg-tide"]);
});

Deno.test("awsCredentialsFrom() tells what the Security Token Service says", async () => {
  await using sts = new LoopbackServer(securityTokenService({ roleArn: ROLE, token: "account token" }));
  const fault = await faultOf({ kind: "web_identity", url: sts.origin, roleArn: ROLE, token: "old" });
  assert.ok(fault.kind === "configuration");
  assert.equal(
    fault.reason,
    `The AWS Security Token Service ${sts.origin} refuses role ${ROLE}: InvalidIdentityToken: The token is not valid`,
  );
  const error = (code: string) =>
    `<ErrorResponse><Error><Code>${code}</Code><Message>m</Message></Error></ErrorResponse>`;
  await using busy = new LoopbackServer(() => new Response(error("Throttling"), { status: 400 }));
  const throttled = await faultOf({ kind: "web_identity", url: busy.origin, roleArn: ROLE, token: "t" });
  assert.ok(throttled.kind === "unavailable");
  assert.match(throttled.reason, /answers 400 Bad Request: Throttling: m$/);
  await using other = new LoopbackServer(() => new Response("<html>hello</html>"));
  const nonsense = await faultOf({ kind: "web_identity", url: other.origin, roleArn: ROLE, token: "t" });
  assert.match(nonsense.reason, /expected XML with AWS credentials$/);
});
