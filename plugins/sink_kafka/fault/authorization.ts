/**
 * What is told when a broker does not allow something: by which name it knows the relay, and how to allow it.
 *
 * @module
 */

import type { Options } from "../config/options.ts";

/** How to allow what was refused with this error; undefined for other errors. */
export function authorizationAdvice(
  name: string,
  operation: string,
  topic: string | undefined,
  options: Options,
): string | undefined {
  const byIam = options.sasl?.mechanism === "AWS_MSK_IAM";
  switch (name) {
    case "TOPIC_AUTHORIZATION_FAILED":
      return byIam ? iamPolicy(`topic "${topic}"`) : topicAcl(operation, topic, principalOf(options));
    case "CLUSTER_AUTHORIZATION_FAILED":
    case "TRANSACTIONAL_ID_AUTHORIZATION_FAILED":
      return byIam
        ? `${iamPolicy("the cluster")}; or set idempotent to false`
        : clusterAcl(principalOf(options));
    default:
      return undefined;
  }
}

function topicAcl(operation: string, topic: string | undefined, user: string): string {
  return `Allow ${user} the operation ${
    operation === "describe" ? "Describe" : "Write"
  } on topic "${topic}": ` +
    `kafka-acls --add --allow-principal ${user} --operation Write --operation Describe --topic ${topic}`;
}

function clusterAcl(user: string): string {
  return `Allow ${user} the operation IdempotentWrite on the cluster (needed before Kafka 2.8): kafka-acls --add ` +
    `--allow-principal ${user} --operation IdempotentWrite --cluster; or set idempotent to false`;
}

function iamPolicy(resource: string): string {
  return `Allow the role in its IAM policy kafka-cluster:Connect, kafka-cluster:DescribeTopic and kafka-cluster:WriteData, and with ` +
    `idempotent kafka-cluster:WriteDataIdempotently, on ${resource}`;
}

/** The principal as the broker's authorizer names it, as far as it is known here. */
function principalOf({ sasl, tls }: Options): string {
  if (sasl === undefined) {
    return tls?.client === undefined ? "User:ANONYMOUS" : `User:${tls.client.subject}`;
  }
  switch (sasl.mechanism) {
    case "OAUTHBEARER":
      return "User:<the token's subject>";
    case "AWS_MSK_IAM":
      return "User:<the role's or user's ARN>";
    default:
      return `User:${sasl.username}`;
  }
}
