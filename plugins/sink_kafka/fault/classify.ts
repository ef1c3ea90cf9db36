/**
 * What the sink does about each error code of the Kafka protocol.
 *
 * @module
 */

/**
 * What to do about an error.
 *
 * - `delivered`: nothing, the broker has the records.
 * - `retry`: send the same batch again, with the same numbers, after a pause.
 * - `refresh`: the same, after asking who leads the partition now.
 * - `suspect`: the same a few times; if it stays, one of the records is to blame and is looked for by halves.
 * - `split`: send the batch again in halves; a record alone is rejected.
 * - `reject`: reject the records that the broker names, or look for them by halves, and send the others again.
 * - `sequence`: the broker has lost the count of this producer and partition; start it again.
 * - `producer`: the producer id is no longer good; get another one.
 * - `blocked`: it cannot work as configured; a person must act.
 */
export type Decision =
  | "delivered"
  | "retry"
  | "refresh"
  | "suspect"
  | "split"
  | "reject"
  | "sequence"
  | "producer"
  | "blocked";

/** An error code: its name in the protocol, what the sink does, and why. */
export interface ErrorClass {
  readonly name: string;
  readonly decision: Decision;
  readonly why: string;
}

type Row = readonly [code: number, name: string, why: string];

const ROWS: Readonly<Record<Decision, readonly Row[]>> = {
  delivered: [
    [0, "NONE", "no error"],
    [46, "DUPLICATE_SEQUENCE_NUMBER", "written before, and so long ago that its offset is forgotten"],
  ],
  retry: [
    [-1, "UNKNOWN_SERVER_ERROR", "the broker stumbled; an outage if it lasts, never a dead letter"],
    [7, "REQUEST_TIMED_OUT", "the replicas were too slow; it may have been written"],
    [14, "COORDINATOR_LOAD_IN_PROGRESS", "the coordinator of producer ids is starting"],
    [15, "COORDINATOR_NOT_AVAILABLE", "the coordinator of producer ids is moving"],
    [16, "NOT_COORDINATOR", "the coordinator of producer ids has moved"],
    [19, "NOT_ENOUGH_REPLICAS", "fewer replicas in sync than min.insync.replicas; not written"],
    [20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "written, then too few replicas in sync"],
    [51, "CONCURRENT_TRANSACTIONS", "the producer id is being changed"],
    [75, "UNKNOWN_LEADER_EPOCH", "the broker has not heard of the newest leader yet"],
    [78, "OFFSET_NOT_AVAILABLE", "the new leader is catching up"],
    [89, "THROTTLING_QUOTA_EXCEEDED", "a quota; the pause is what it asks for"],
  ],
  refresh: [
    [3, "UNKNOWN_TOPIC_OR_PARTITION", "deleted, or moved, or not heard of by this broker yet"],
    [5, "LEADER_NOT_AVAILABLE", "an election is going on"],
    [6, "NOT_LEADER_OR_FOLLOWER", "the leader has moved"],
    [8, "BROKER_NOT_AVAILABLE", "the broker is gone"],
    [9, "REPLICA_NOT_AVAILABLE", "the replica is moving"],
    [13, "NETWORK_EXCEPTION", "the connection was lost; it may have been written"],
    [41, "NOT_CONTROLLER", "the controller has moved"],
    [56, "KAFKA_STORAGE_ERROR", "the broker's disk failed; another one will lead"],
    [72, "LISTENER_NOT_FOUND", "the leader is not reachable on this listener yet"],
    [74, "FENCED_LEADER_EPOCH", "the leader has changed"],
    [80, "PREFERRED_LEADER_NOT_AVAILABLE", "an election is going on"],
    [83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", "no replica can lead now"],
    [84, "ELECTION_NOT_NEEDED", "the leader stands already"],
    [100, "UNKNOWN_TOPIC_ID", "deleted and created again"],
    [103, "INCONSISTENT_TOPIC_ID", "deleted and created again"],
    [107, "INELIGIBLE_REPLICA", "the replicas are changing"],
    [108, "NEW_LEADER_ELECTED", "the leader has changed"],
    [129, "REBOOTSTRAP_REQUIRED", "the cluster asks its clients to begin again"],
  ],
  suspect: [
    [2, "CORRUPT_MESSAGE", "damaged on its way, or a record without key for a compacted topic"],
  ],
  split: [
    [10, "MESSAGE_TOO_LARGE", "the batch is larger than max.message.bytes"],
    [18, "RECORD_LIST_TOO_LARGE", "the batch is larger than segment.bytes"],
  ],
  reject: [
    [32, "INVALID_TIMESTAMP", "a record's time is outside what the topic accepts"],
    [87, "INVALID_RECORD", "a record breaks a rule of the topic"],
  ],
  sequence: [
    [45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "a batch before it was not written, or the count is lost"],
    [59, "UNKNOWN_PRODUCER_ID", "the broker has deleted everything of this producer"],
  ],
  producer: [
    [47, "INVALID_PRODUCER_EPOCH", "a newer epoch of this producer id was seen"],
    [48, "INVALID_TXN_STATE", "the coordinator lost track of this producer id"],
    [49, "INVALID_PRODUCER_ID_MAPPING", "the producer id has expired"],
    [52, "TRANSACTION_COORDINATOR_FENCED", "the coordinator lost track of this producer id"],
    [90, "PRODUCER_FENCED", "a newer epoch of this producer id was seen"],
    [120, "TRANSACTION_ABORTABLE", "the coordinator lost track of this producer id"],
  ],
  blocked: [
    [17, "INVALID_TOPIC_EXCEPTION", "the topic's name is not allowed, or the topic is internal"],
    [21, "INVALID_REQUIRED_ACKS", "the broker does not know this acks"],
    [29, "TOPIC_AUTHORIZATION_FAILED", "not allowed to write to the topic"],
    [31, "CLUSTER_AUTHORIZATION_FAILED", "not allowed to write idempotently"],
    [33, "UNSUPPORTED_SASL_MECHANISM", "the broker does not offer this mechanism"],
    [34, "ILLEGAL_SASL_STATE", "the listener does not want this authentication"],
    [35, "UNSUPPORTED_VERSION", "the broker is too old"],
    [40, "INVALID_CONFIG", "the topic's configuration forbids it"],
    [42, "INVALID_REQUEST", "the broker does not understand the request"],
    [43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "the topic has a message format older than headers"],
    [44, "POLICY_VIOLATION", "a policy of the cluster forbids it"],
    [50, "INVALID_TRANSACTION_TIMEOUT", "the broker does not accept the producer's settings"],
    [53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "not allowed to have a producer id"],
    [54, "SECURITY_DISABLED", "the cluster has no authorization to speak of"],
    [58, "SASL_AUTHENTICATION_FAILED", "the credentials are wrong"],
    [76, "UNSUPPORTED_COMPRESSION_TYPE", "the broker does not know this compression"],
    [104, "INCONSISTENT_CLUSTER_ID", "the brokers belong to different clusters"],
    [114, "MISMATCHED_ENDPOINT_TYPE", "the address is a controller's"],
    [115, "UNSUPPORTED_ENDPOINT_TYPE", "the address is a controller's"],
  ],
};

/**
 * Codes that answer requests of consumers, groups, administrators and brokers. A producer should never meet them; if it does,
 * it tries again until the delivery timeout, as with a code that is not known at all.
 */
const OF_OTHERS: Readonly<Record<number, string>> = {
  1: "OFFSET_OUT_OF_RANGE",
  4: "INVALID_FETCH_SIZE",
  11: "STALE_CONTROLLER_EPOCH",
  12: "OFFSET_METADATA_TOO_LARGE",
  22: "ILLEGAL_GENERATION",
  23: "INCONSISTENT_GROUP_PROTOCOL",
  24: "INVALID_GROUP_ID",
  25: "UNKNOWN_MEMBER_ID",
  26: "INVALID_SESSION_TIMEOUT",
  27: "REBALANCE_IN_PROGRESS",
  28: "INVALID_COMMIT_OFFSET_SIZE",
  30: "GROUP_AUTHORIZATION_FAILED",
  36: "TOPIC_ALREADY_EXISTS",
  37: "INVALID_PARTITIONS",
  38: "INVALID_REPLICATION_FACTOR",
  39: "INVALID_REPLICA_ASSIGNMENT",
  55: "OPERATION_NOT_ATTEMPTED",
  57: "LOG_DIR_NOT_FOUND",
  60: "REASSIGNMENT_IN_PROGRESS",
  61: "DELEGATION_TOKEN_AUTH_DISABLED",
  62: "DELEGATION_TOKEN_NOT_FOUND",
  63: "DELEGATION_TOKEN_OWNER_MISMATCH",
  64: "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
  65: "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
  66: "DELEGATION_TOKEN_EXPIRED",
  67: "INVALID_PRINCIPAL_TYPE",
  68: "NON_EMPTY_GROUP",
  69: "GROUP_ID_NOT_FOUND",
  70: "FETCH_SESSION_ID_NOT_FOUND",
  71: "INVALID_FETCH_SESSION_EPOCH",
  73: "TOPIC_DELETION_DISABLED",
  77: "STALE_BROKER_EPOCH",
  79: "MEMBER_ID_REQUIRED",
  81: "GROUP_MAX_SIZE_REACHED",
  82: "FENCED_INSTANCE_ID",
  85: "NO_REASSIGNMENT_IN_PROGRESS",
  86: "GROUP_SUBSCRIBED_TO_TOPIC",
  88: "UNSTABLE_OFFSET_COMMIT",
  91: "RESOURCE_NOT_FOUND",
  92: "DUPLICATE_RESOURCE",
  93: "UNACCEPTABLE_CREDENTIAL",
  94: "INCONSISTENT_VOTER_SET",
  95: "INVALID_UPDATE_VERSION",
  96: "FEATURE_UPDATE_FAILED",
  97: "PRINCIPAL_DESERIALIZATION_FAILURE",
  98: "SNAPSHOT_NOT_FOUND",
  99: "POSITION_OUT_OF_RANGE",
  101: "DUPLICATE_BROKER_REGISTRATION",
  102: "BROKER_ID_NOT_REGISTERED",
  105: "TRANSACTIONAL_ID_NOT_FOUND",
  106: "FETCH_SESSION_TOPIC_ID_ERROR",
  109: "OFFSET_MOVED_TO_TIERED_STORAGE",
  110: "FENCED_MEMBER_EPOCH",
  111: "UNRELEASED_INSTANCE_ID",
  112: "UNSUPPORTED_ASSIGNOR",
  113: "STALE_MEMBER_EPOCH",
  116: "UNKNOWN_CONTROLLER_ID",
  117: "UNKNOWN_SUBSCRIPTION_ID",
  118: "TELEMETRY_TOO_LARGE",
  119: "INVALID_REGISTRATION",
  121: "INVALID_RECORD_STATE",
  122: "SHARE_SESSION_NOT_FOUND",
  123: "INVALID_SHARE_SESSION_EPOCH",
  124: "FENCED_STATE_EPOCH",
  125: "INVALID_VOTER_KEY",
  126: "DUPLICATE_VOTER",
  127: "VOTER_NOT_FOUND",
  128: "INVALID_REGULAR_EXPRESSION",
  130: "STREAMS_INVALID_TOPOLOGY",
  131: "STREAMS_INVALID_TOPOLOGY_EPOCH",
  132: "STREAMS_TOPOLOGY_FENCED",
  133: "SHARE_SESSION_LIMIT_REACHED",
  134: "GROUP_DELETION_FAILED",
  135: "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED",
  136: "CONTROLLER_ID_NOT_REGISTERED",
};

/** Every error code of the protocol, up to Apache Kafka 4.4. */
export const ERROR_CLASSES: ReadonlyMap<number, ErrorClass> = new Map([
  ...Object.entries(ROWS).flatMap(([decision, rows]) =>
    rows.map((
      [code, name, why],
    ): [number, ErrorClass] => [code, { name, decision: decision as Decision, why }])
  ),
  ...Object.entries(OF_OTHERS).map(([code, name]): [number, ErrorClass] => [
    Number(code),
    { name, decision: "retry", why: "not an answer to a producer" },
  ]),
]);

/**
 * Errors after which it is not known whether the batch was written, or known that it was. A broker that loses the lead, or the
 * partition, while a batch waits for its replicas answers like one that never had it, and the next leader may have the batch.
 */
const MAY_BE_WRITTEN: ReadonlySet<string> = new Set([
  "KAFKA_STORAGE_ERROR",
  "NETWORK_EXCEPTION",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "NOT_LEADER_OR_FOLLOWER",
  "REQUEST_TIMED_OUT",
  "UNKNOWN_SERVER_ERROR",
  "UNKNOWN_TOPIC_OR_PARTITION",
]);

/** Whether a batch that was answered with `code` may have been written all the same. */
export function mayBeWritten(code: number): boolean {
  const known = ERROR_CLASSES.get(code);
  return known === undefined || MAY_BE_WRITTEN.has(known.name);
}

/** What to do about `code`. A code that this version does not know is tried again, until the delivery timeout. */
export function classify(code: number): ErrorClass {
  return ERROR_CLASSES.get(code) ??
    { name: `ERROR_${code}`, decision: "retry", why: "an error code that this version does not know" };
}
