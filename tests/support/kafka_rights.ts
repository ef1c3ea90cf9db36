/**
 * What users may do at a broker with an authorizer, through `npm:kafkajs`.
 *
 * @module
 */

import kafkajs, { type AclEntry, type Admin } from "kafkajs";
import { quietClient } from "./kafka_admin.ts";

/** An operation on a topic, or on the cluster without a topic. */
export interface Right {
  /** As the broker names who it is: `User:relay`. */
  readonly principal: string;
  readonly operation: "CREATE" | "DESCRIBE" | "IDEMPOTENT_WRITE" | "WRITE";
  readonly topic?: string;
}

/** Allow something, which the broker heeds a moment later. It is allowed until the result is disposed of. */
export async function allow(brokers: string, right: Right): Promise<AsyncDisposable> {
  const acl = entryOf(right);
  await administer(brokers, (admin) => admin.createAcls({ acl: [acl] }));
  const disallow = () => administer(brokers, (admin) => admin.deleteAcls({ filters: [acl] }));
  return {
    [Symbol.asyncDispose]: async () => {
      await disallow();
    },
  };
}

function entryOf({ principal, operation, topic }: Right): AclEntry {
  return {
    principal,
    host: "*",
    operation: kafkajs.AclOperationTypes[operation],
    permissionType: kafkajs.AclPermissionTypes.ALLOW,
    resourceType: topic === undefined ? kafkajs.AclResourceTypes.CLUSTER : kafkajs.AclResourceTypes.TOPIC,
    resourceName: topic ?? "kafka-cluster",
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
  };
}

async function administer(brokers: string, task: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = quietClient(brokers).admin();
  try {
    await admin.connect();
    await task(admin);
  } finally {
    await admin.disconnect();
  }
}
