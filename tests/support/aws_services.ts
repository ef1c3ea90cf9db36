/**
 * What AWS runs beside a program to tell it who it is, as its documentation says they answer.
 *
 * @module
 */

import type { Answer } from "./loopback_server.ts";

/** The keys that all of them give out. */
export const AWS_KEYS = {
  accessKeyId: "ASIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  sessionToken: "IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJHMEUCIQ+/==",
} as const;

const notFound = () =>
  new Response("<html>404 - Not Found</html>", { status: 404, headers: { "content-type": "text/html" } });

const refused = (status: number) => Response.json({ code: "AccessDenied", message: "refused" }, { status });

function inAnHour(): string {
  return `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
}

function keysAsJson(more: Readonly<Record<string, string>> = {}): Response {
  const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token } = AWS_KEYS;
  return Response.json({ ...more, AccessKeyId, SecretAccessKey, Token, Expiration: inAnHour() });
}

/**
 * The credential endpoint of ECS, or with `authorization` that of EKS Pod Identity.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
export function containerService(task: { readonly path: string; readonly authorization?: string }): Answer {
  return ({ method, path, headers }) => {
    if (method !== "GET" || path !== task.path) return notFound();
    if (headers.get("authorization") !== (task.authorization ?? null)) return refused(401);
    return keysAsJson({ RoleArn: "arn:aws:iam::123456789012:role/task" });
  };
}

/**
 * The metadata service of an EC2 instance, version 2.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
 */
export function instanceService({ role }: { readonly role: string | null }): Answer {
  const session = crypto.randomUUID();
  const folder = "/latest/meta-data/iam/security-credentials/";
  return ({ method, path, headers }) => {
    if (path === "/latest/api/token") {
      const ttl = Number(headers.get("x-aws-ec2-metadata-token-ttl-seconds"));
      if (method !== "PUT" || !(ttl >= 1 && ttl <= 21_600)) return new Response("", { status: 400 });
      return new Response(session);
    }
    if (headers.get("x-aws-ec2-metadata-token") !== session) return new Response("", { status: 401 });
    if (method !== "GET" || role === null) return notFound();
    if (path === folder) return new Response(role);
    return path === `${folder}${role}` ? keysAsJson({ Code: "Success", Type: "AWS-HMAC" }) : notFound();
  };
}

/**
 * AssumeRoleWithWebIdentity of the AWS Security Token Service.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 */
export function securityTokenService(account: { readonly roleArn: string; readonly token: string }): Answer {
  return ({ method, body }) => {
    const form = new URLSearchParams(body);
    if (method !== "POST" || form.get("Action") !== "AssumeRoleWithWebIdentity") {
      return xml(400, errorXml("InvalidAction", "Could not find operation"));
    }
    if (form.get("RoleArn") !== account.roleArn) return xml(403, errorXml("AccessDenied", "Not authorized"));
    if (form.get("WebIdentityToken") !== account.token) {
      return xml(400, errorXml("InvalidIdentityToken", "The token is not valid"));
    }
    const { accessKeyId, secretAccessKey, sessionToken } = AWS_KEYS;
    return xml(
      200,
      `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:default:relay</SubjectFromWebIdentityToken>
    <Credentials>
      <SessionToken>${sessionToken}</SessionToken>
      <SecretAccessKey>${secretAccessKey}</SecretAccessKey>
      <Expiration>${inAnHour()}</Expiration>
      <AccessKeyId>${accessKeyId}</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`,
    );
  };
}

function xml(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/xml" } });
}

function errorXml(code: string, message: string): string {
  return `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`;
}
