/**
 * Where AWS credentials come from.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { AwsCredentialSource } from "../config/sasl_aws.ts";
import { credentialsInJson, credentialsInXml, elementIn } from "./aws_answer.ts";
import { Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http_request.ts";
import type { AwsCredentials } from "./msk_token.ts";

/** What a service answers whose credentials are good for the same thing. */
const EXPECTED = "JSON with AWS credentials";

/** Where an instance's role is found, and how long its session with the service may last, in seconds. */
const INSTANCE_TOKEN_PATH = "/latest/api/token";
const INSTANCE_ROLE_PATH = "/latest/meta-data/iam/security-credentials/";
const INSTANCE_SESSION_S = "300";

/** Errors of the Security Token Service that pass. */
const STS_OUTAGES: ReadonlySet<string> = new Set([
  "IDPCommunicationError",
  "RequestLimitExceeded",
  "Throttling",
  "ThrottlingException",
]);

/** A function that gets credentials from their source. It rejects with a FaultError when none are to be had. */
export function awsCredentialsFrom(source: AwsCredentialSource, clock: Clock): () => Promise<AwsCredentials> {
  switch (source.kind) {
    case "static": {
      const { accessKeyId, secretAccessKey, sessionToken } = source;
      return () => Promise.resolve({ accessKeyId, secretAccessKey, sessionToken, expiresAtMs: Infinity });
    }
    case "container":
      return () => fromContainer(metadataService(source.url, clock), source.authorization, clock);
    case "instance":
      return () => fromInstance(metadataService(source.url, clock), clock);
    case "web_identity":
      return () => fromWebIdentity(source, clock);
  }
}

function metadataService(url: string, clock: Clock): Endpoint {
  const named = {
    title: "AWS credential service",
    code: "AWS_CREDENTIALS",
    field: "sasl_aws_credentials_url",
  };
  return new Endpoint({ ...named, url, metadata: true }, clock);
}

/** The credentials of an ECS task or an EKS pod. */
async function fromContainer(
  service: Endpoint,
  authorization: string | undefined,
  clock: Clock,
): Promise<AwsCredentials> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const answer = await service.ask({ method: "GET", headers });
  if (answer.status === 400 || answer.status === 401 || answer.status === 403) {
    throw service.refusal(
      "this container",
      "",
      "Verify that the task or pod has a role, that sasl_aws_credentials_url is the one in its environment, and on EKS that " +
        "sasl_aws_credentials_token names the file in AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    );
  }
  return credentialsInAnswer(service, answer, clock);
}

/** The credentials of an EC2 instance's role, by a session with its metadata service (IMDSv2). */
async function fromInstance(service: Endpoint, clock: Clock): Promise<AwsCredentials> {
  const ttl = { "x-aws-ec2-metadata-token-ttl-seconds": INSTANCE_SESSION_S };
  const session = await service.ask({ method: "PUT", headers: ttl }, INSTANCE_TOKEN_PATH);
  if (session.status !== 200) {
    throw service.refusal("this instance a session", "", "Turn the instance's metadata service on (IMDSv2)");
  }
  const headers = { "x-aws-ec2-metadata-token": session.text.trim() };
  const role = await service.ask({ method: "GET", headers }, INSTANCE_ROLE_PATH);
  const name = role.text.trim().split(/\s/, 1)[0]!;
  if (role.status === 404 || name === "") {
    throw service.refusal(
      "this instance credentials",
      "",
      "Attach an IAM role to the instance (an instance profile)",
    );
  }
  if (role.status !== 200) throw service.nonsense(role, "the name of a role");
  const answer = await service.ask(
    { method: "GET", headers },
    `${INSTANCE_ROLE_PATH}${encodeURIComponent(name)}`,
  );
  return credentialsInAnswer(service, answer, clock);
}

function credentialsInAnswer(service: Endpoint, answer: HttpAnswer, clock: Clock): AwsCredentials {
  const credentials = answer.status === 200 ? credentialsInJson(answer.text, clock) : undefined;
  if (credentials === undefined) throw service.nonsense(answer, EXPECTED);
  return credentials;
}

/** The credentials of a role that trusts whoever signed a Kubernetes service account's token. */
async function fromWebIdentity(
  { url, roleArn, token }: Extract<AwsCredentialSource, { kind: "web_identity" }>,
  clock: Clock,
): Promise<AwsCredentials> {
  const named = { title: "AWS Security Token Service", code: "AWS_STS", field: "sasl_aws_sts_url" };
  const service = new Endpoint({ ...named, url }, clock);
  const form = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: roleArn,
    RoleSessionName: "pg-tide",
    WebIdentityToken: token,
  });
  const headers = { accept: "application/xml" };
  const answer = await service.ask({ method: "POST", headers, body: form.toString() });
  const credentials = answer.status === 200 ? credentialsInXml(answer.text, clock) : undefined;
  if (credentials !== undefined) return credentials;
  const code = elementIn(answer.text, "Code");
  if (code === undefined) throw service.nonsense(answer, "XML with AWS credentials");
  const words = `${code}: ${elementIn(answer.text, "Message") ?? ""}`;
  if (STS_OUTAGES.has(code)) throw service.outage(answer, words);
  throw service.refusal(
    `role ${roleArn}`,
    words,
    "Verify that the role's trust policy names the cluster's OIDC provider and this service account, and that " +
      "sasl_aws_web_identity_token names the file in AWS_WEB_IDENTITY_TOKEN_FILE",
  );
}
