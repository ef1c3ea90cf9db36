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
      return byIam ? iamPolicy(`topic "${topic}"`) : topicAcl(operation, topic, options);
    case "CLUSTER_AUTHORIZATION_FAILED":
    case "TRANSACTIONAL_ID_AUTHORIZATION_FAILED":
      return byIam ? `${iamPolicy("the cluster")}; or set idempotent to false` : clusterAcl(options);
    default:
      return undefined;
  }
}

function topicAcl(operation: string, topic: string | undefined, options: Options): string {
  const user = principalOf(options);
  const describes = operation === "describe";
  const create = describes && options.allowAutoCreateTopics
    ? "; and --operation Create, if the topic does not exist and the brokers create topics by themselves"
    : "";
  return `Allow ${user} the operation ${describes ? "Describe" : "Write"} on topic "${topic}": ` +
    `${addAcl(user)} --operation Write --operation Describe --topic ${topic}${create}${otherName(options)}`;
}

function clusterAcl(options: Options): string {
  const user = principalOf(options);
  return `Allow ${user} the operation Write on its topics, which is enough since Kafka 2.8, or IdempotentWrite on the cluster: ` +
    `${addAcl(user)} --operation IdempotentWrite --cluster; or set idempotent to false${otherName(options)}`;
}

/** What is not known here about the name of a certificate's holder. */
function otherName({ sasl, tls }: Options): string {
  return sasl === undefined && tls?.client !== undefined
    ? ". With ssl.principal.mapping.rules the brokers know the certificate by another name, which their log tells"
    : "";
}

/** The beginning of a command for a shell. */
function addAcl(user: string): string {
  const plain = /^[\w.:=,@/-]+$|^User:</.test(user);
  const quoted = plain ? user : `'${user.replaceAll("'", `'\\''`)}'`;
  return `kafka-acls --add --allow-principal ${quoted}`;
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
