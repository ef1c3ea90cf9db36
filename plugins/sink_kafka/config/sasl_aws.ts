/**
 * SASL with the identity of an AWS role or user, as Amazon MSK takes it: fields and options. Pure.
 *
 * @module
 */

import type { FieldRule, FieldSpec, PluginConfig } from "@pg-tide/sdk";
import { CONFIDENTIAL_URL } from "./sasl_oauth.ts";
import { belong, type Choice, need } from "./sasl_rules.ts";
import { oneOf, optionalTextOf, textOf } from "./value.ts";

const SOURCES = ["static", "container", "instance", "web_identity"] as const;

/** Where the credentials come from. */
export type AwsCredentialSource =
  | {
    readonly kind: "static";
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }
  | { readonly kind: "container"; readonly url: string; readonly authorization?: string }
  | { readonly kind: "instance"; readonly url: string }
  | { readonly kind: "web_identity"; readonly url: string; readonly roleArn: string; readonly token: string };

/** How to prove to MSK who one is. */
export interface AwsSasl {
  readonly mechanism: "AWS_MSK_IAM";
  readonly region: string;
  readonly source: AwsCredentialSource;
}

/** The fields. */
export const AWS_FIELDS: readonly FieldSpec[] = [
  {
    name: "sasl_aws_region",
    type: "string",
    interpolates: true,
    pattern: "[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}",
    patternDoc: "the name of a region",
    doc: "The region of the MSK cluster.",
    examples: ["eu-central-1", "${env:KAFKA_AWS_REGION}"],
  },
  {
    name: "sasl_aws_credentials",
    type: "string",
    values: SOURCES,
    doc:
      'Where the AWS credentials come from: "static" (the keys below), "container" (ECS, or EKS Pod Identity), "instance" ' +
      '(the EC2 instance\'s role, IMDSv2), "web_identity" (IAM roles for service accounts on EKS). They are renewed before they expire.',
    examples: ["web_identity"],
  },
  {
    name: "sasl_aws_access_key_id",
    type: "string",
    min: 1,
    interpolates: true,
    doc: 'Access key id, for "static".',
    examples: ["${env:KAFKA_AWS_ACCESS_KEY_ID}"],
  },
  {
    name: "sasl_aws_secret_access_key",
    type: "string",
    min: 1,
    interpolates: true,
    secret: true,
    doc: 'Secret access key, for "static".',
    examples: ["${env:KAFKA_AWS_SECRET_ACCESS_KEY}"],
  },
  {
    name: "sasl_aws_session_token",
    type: "string",
    min: 1,
    interpolates: true,
    secret: true,
    doc: 'Session token of temporary keys, for "static".',
    examples: ["${file:/run/secrets/aws-session-token}"],
  },
  {
    name: "sasl_aws_credentials_url",
    type: "string",
    interpolates: true,
    pattern: "https?://[^ /?#@]+(/[^ #]*)?",
    patternDoc: "a URL with http or https",
    doc:
      'Where the machine\'s credentials are handed out, for "container" and "instance". The operator must allow its host and ' +
      "port besides (`--plugin-net`).",
    examples: [
      "http://169.254.170.2${env:AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}",
      "${env:AWS_CONTAINER_CREDENTIALS_FULL_URI}",
      "http://169.254.169.254",
    ],
  },
  {
    name: "sasl_aws_credentials_token",
    type: "string",
    min: 1,
    file: true,
    interpolates: true,
    secret: true,
    doc: 'Path to the file with the authorization token, for "container" with EKS Pod Identity.',
    examples: ["${env:AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE}"],
  },
  {
    name: "sasl_aws_role_arn",
    type: "string",
    interpolates: true,
    pattern: "arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ ]+",
    patternDoc: "the ARN of a role",
    doc: 'The role to take, for "web_identity".',
    examples: ["${env:AWS_ROLE_ARN}"],
  },
  {
    name: "sasl_aws_web_identity_token",
    type: "string",
    min: 1,
    file: true,
    interpolates: true,
    secret: true,
    doc: 'Path to the file with the service account\'s token, for "web_identity".',
    examples: ["${env:AWS_WEB_IDENTITY_TOKEN_FILE}"],
  },
  {
    name: "sasl_aws_sts_url",
    type: "string",
    interpolates: true,
    ...CONFIDENTIAL_URL,
    doc: 'AWS Security Token Service of the region, for "web_identity".',
    examples: ["https://sts.eu-central-1.amazonaws.com"],
  },
];

const AWS_MSK_IAM: Choice = { field: "sasl_mechanism", values: ["AWS_MSK_IAM"] };
const from = (...values: typeof SOURCES[number][]): Choice => ({ field: "sasl_aws_credentials", values });

/** What contradicts what. */
export const AWS_RULES: readonly FieldRule[] = [
  ...belong(["sasl_aws_region", "sasl_aws_credentials"], AWS_MSK_IAM),
  ...need(AWS_MSK_IAM, {
    sasl_aws_region: "the cluster's region",
    sasl_aws_credentials: '"static", "container", "instance" or "web_identity"',
  }),
  {
    when: { field: "sasl_mechanism", is: ["AWS_MSK_IAM"] },
    then: { field: "tls_enabled", is: [true] },
    message: 'sasl_mechanism is "AWS_MSK_IAM", which MSK offers over TLS only: set tls_enabled to true',
  },
  ...need(from("static"), {
    sasl_aws_access_key_id: "the access key's id",
    sasl_aws_secret_access_key: "the secret access key",
  }),
  ...belong(
    ["sasl_aws_access_key_id", "sasl_aws_secret_access_key", "sasl_aws_session_token"],
    from("static"),
  ),
  ...need(from("container"), {
    sasl_aws_credentials_url:
      "http://169.254.170.2${env:AWS_CONTAINER_CREDENTIALS_RELATIVE_URI} on ECS, or to " +
      "${env:AWS_CONTAINER_CREDENTIALS_FULL_URI} on EKS",
  }),
  ...need(from("instance"), { sasl_aws_credentials_url: "http://169.254.169.254" }),
  ...belong(["sasl_aws_credentials_url"], from("container", "instance")),
  ...belong(["sasl_aws_credentials_token"], from("container")),
  ...need(from("web_identity"), {
    sasl_aws_role_arn: "the ARN of the role to take",
    sasl_aws_web_identity_token: "the path of the service account's token",
    sasl_aws_sts_url: "the region's Security Token Service, such as https://sts.eu-central-1.amazonaws.com",
  }),
  ...belong(["sasl_aws_role_arn", "sasl_aws_web_identity_token", "sasl_aws_sts_url"], from("web_identity")),
];

/** Read the options from fields that the kernel has parsed. @throws as `parseOptions` */
export function parseAws(fields: PluginConfig["fields"]): AwsSasl {
  return { mechanism: "AWS_MSK_IAM", region: textOf(fields, "sasl_aws_region"), source: parseSource(fields) };
}

function parseSource(fields: PluginConfig["fields"]): AwsCredentialSource {
  const kind = oneOf(fields, "sasl_aws_credentials", SOURCES);
  switch (kind) {
    case "static": {
      const sessionToken = optionalTextOf(fields, "sasl_aws_session_token");
      return {
        kind,
        accessKeyId: textOf(fields, "sasl_aws_access_key_id"),
        secretAccessKey: textOf(fields, "sasl_aws_secret_access_key"),
        ...(sessionToken === undefined ? {} : { sessionToken }),
      };
    }
    case "container": {
      // A file ends with a line end, which no header may hold.
      const authorization = optionalTextOf(fields, "sasl_aws_credentials_token")?.trim();
      const url = textOf(fields, "sasl_aws_credentials_url");
      return { kind, url, ...(authorization === undefined ? {} : { authorization }) };
    }
    case "instance":
      return { kind, url: textOf(fields, "sasl_aws_credentials_url") };
    case "web_identity":
      return {
        kind,
        url: textOf(fields, "sasl_aws_sts_url"),
        roleArn: textOf(fields, "sasl_aws_role_arn"),
        token: textOf(fields, "sasl_aws_web_identity_token").trim(),
      };
  }
}

/** The source without what may change while connections run on. */
export function withoutAwsSecrets(source: AwsCredentialSource): unknown {
  switch (source.kind) {
    case "static":
      return { kind: source.kind };
    case "container":
      return { ...source, authorization: "" };
    case "instance":
      return source;
    case "web_identity":
      return { ...source, token: "" };
  }
}
