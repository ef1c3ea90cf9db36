/**
 * The contract between the kernel and a plugin: what crosses the border of a plugin's Worker.
 *
 * Everything here is plain data. Error classes, methods and prototypes do not survive the border, so a failure
 * is told as an {@link Answer} or a {@link Fault}, decided where it is known: in the plugin. The kernel never
 * parses the text of an error.
 *
 * @module
 */

import type { Column } from "./column.ts";
import type { FieldRule, FieldSpec, Json } from "./field.ts";

/** The version of this contract. A plugin says in its handshake which version it was written for. */
export const CONTRACT_VERSION = 1;

/** The most bytes of values in one page, unless a single message is larger. */
export const PAGE_BYTES_MAX = 2 * 1024 * 1024;

/** What happened to a row: the index is the code in {@link MessagePage.ops}. */
export const OPS = ["insert", "update", "delete", "read", "truncate"] as const;

/** What happened to a row. */
export type Op = typeof OPS[number];

/**
 * Records on their way to a sink, in order, as columns.
 *
 * `topics[topic[i]]` is where record `i` goes; `messageIndex[i]` says which message it was made from.
 */
export interface RecordPage {
  /** Number of records. */
  readonly count: number;
  /** The id of each record's message in its outbox; ids are below 2^53. */
  readonly ids: Float64Array<ArrayBuffer>;
  /** When each record's message was published, in milliseconds since 1970, with a fraction. */
  readonly createdMs: Float64Array<ArrayBuffer>;
  /** The different destinations of this page. */
  readonly topics: readonly string[];
  /** For each record, its index in {@link RecordPage.topics}. */
  readonly topic: Uint16Array<ArrayBuffer>;
  /**
   * For each record, the number of the partition of its topic that it must go to, or -1 where the sink chooses. Absent when
   * no record names one. A record whose partition does not exist is rejected alone. A sink without
   * {@link PluginDescription.partitions} need not look at it.
   */
  readonly partition?: Int32Array<ArrayBuffer>;
  /** The key of each record; NULL is "no key", an empty value is a key. */
  readonly key: Column;
  /** The value of each record; NULL is a tombstone. */
  readonly value: Column;
  /** The headers of each record as a header list (see `encodeHeaders`). */
  readonly headers: Column;
}

/** Routed messages on their way to a format, in order, as columns. */
export interface MessagePage {
  /** Number of messages. */
  readonly count: number;
  /** As {@link RecordPage.ids}. */
  readonly ids: Float64Array<ArrayBuffer>;
  /** As {@link RecordPage.createdMs}. */
  readonly createdMs: Float64Array<ArrayBuffer>;
  /** For each message, an index into {@link OPS}. */
  readonly ops: Uint8Array<ArrayBuffer>;
  /** As {@link RecordPage.topics}. */
  readonly topics: readonly string[];
  /** As {@link RecordPage.topic}. */
  readonly topic: Uint16Array<ArrayBuffer>;
  /** As {@link RecordPage.partition}. */
  readonly partition?: Int32Array<ArrayBuffer>;
  /** The key that the route gave each message. */
  readonly key: Column;
  /** The record headers that the route gave each message, as header lists. */
  readonly headers: Column;
  /** The payload, as JSON text. Never NULL; the JSON text may be `null`. */
  readonly payload: Column;
  /** The previous row of an update or delete, as JSON text, or NULL. */
  readonly previous: Column;
  /** The deduplication key given at publish, or NULL. */
  readonly dedupKey: Column;
}

/** What a format made of a {@link MessagePage}. */
export interface EncodedPage {
  /**
   * The records, in the order of their messages. Without a {@link RecordPage.partition} of its own each record has its
   * message's: a format needs to know nothing of partitions.
   */
  readonly page: RecordPage;
  /** For each record, the index of its message in the page given; never falls. A message may give several records, or none. */
  readonly messageIndex: Uint32Array<ArrayBuffer>;
  /** Messages that cannot be encoded, by index of message; they give no record. */
  readonly rejected: readonly Rejection[];
}

/** One record (or message) that can never succeed as configured. It goes to the dead letters alone. */
export interface Rejection {
  /** Index in the page. */
  readonly index: number;
  /** A stable code in capitals: `MESSAGE_TOO_LARGE`. At most 100 characters. */
  readonly code: string;
  /** What happened, and to what, for a person; never a secret. At most 2,000 characters are kept. */
  readonly reason: string;
}

/** One record that may succeed later: costs its message one attempt. */
export interface Failure extends Rejection {
  /** Wait at least this long before the next attempt. */
  readonly retryAfterMs?: number;
}

/**
 * Why a sink or format cannot go on.
 *
 * - `unavailable`: an outage. The kernel waits with backoff, for as long as it takes, and gives the same records
 *   again. No attempt is counted, nothing is dead-lettered.
 * - `configuration`: as configured it cannot work (wrong password, missing topic, no authorization). The pipeline
 *   is `blocked`, tried again slowly, and at once when its configuration changes.
 * - `hosts`: the plugin must reach these hosts (`host:port`). The kernel checks its policy and restarts the Worker
 *   with them when nothing is in flight.
 */
export type Fault =
  | {
    readonly kind: "unavailable";
    readonly code: string;
    readonly reason: string;
    readonly retryAfterMs?: number;
  }
  | {
    readonly kind: "configuration";
    readonly code: string;
    readonly reason: string;
    readonly advice: string;
  }
  | { readonly kind: "hosts"; readonly hosts: readonly string[] };

/**
 * A sink's answer to one page: an outcome for every record, or a fault for those without one.
 *
 * **Order.** An answer with a fault or a failure ends its *generation*. The sink must then not deliver any record
 * of that generation that comes after an undelivered record of the same topic and key, also in pages that it already
 * holds; it answers those pages with the same fault. The kernel gives all unfinished records again, in order, in a
 * new generation, after every page of the old one is answered. Records that name a partition keep their order within it,
 * whatever their keys are; those of one key that name different ones have no order between them.
 */
export interface Answer {
  /** Delivered records, as ranges `[from, to)` of indices: two numbers each, rising, never overlapping. */
  readonly delivered: Uint32Array<ArrayBuffer>;
  /** Records that can never succeed. */
  readonly rejected: readonly Rejection[];
  /** Records that may succeed later. */
  readonly failed: readonly Failure[];
  /** Why the records without an outcome have none. Needed when there are such records. */
  readonly fault?: Fault;
}

/** What a plugin is told when it is opened, and again by `reconfigure`. */
export interface PluginConfig {
  /** The pipeline's name. */
  readonly pipeline: string;
  /** The outbox's bare name. */
  readonly outbox: string;
  /** The plugin's own fields, parsed, with defaults, with secrets resolved and files read. */
  readonly fields: Readonly<Record<string, Json>>;
}

/** The kinds of plugins. */
export type PluginKind = "sink" | "format";

/** A plugin as data: what it is called, what can be configured, what it asks to touch. */
export interface PluginDescription {
  /** The name users write as `sink_type` or `wire_format`: lower case letters, digits and `_`. */
  readonly name: string;
  /** What it is. */
  readonly kind: PluginKind;
  /** The {@link CONTRACT_VERSION} it was written for. */
  readonly contract: number;
  /** One line for `pg-tide plugin list`. */
  readonly summary: string;
  /** What can be configured. A format's fields stand under `wire_config`, a sink's beside the relay's own. */
  readonly fields: readonly FieldSpec[];
  /** What contradicts what among them. */
  readonly rules?: readonly FieldRule[];
  /** What it asks to touch; what it does not ask for, it cannot. */
  readonly permissions: PermissionRequest;
  /**
   * Only formats: configuration under which the format hands payloads on unchanged. The kernel then starts no
   * Worker for it.
   */
  readonly identity?: Readonly<Record<string, Json>>;
  /** Only sinks: what the name of a topic may look like; a message routed to another name is rejected. Default: anything. */
  readonly topicRule?: TopicRule;
  /**
   * Only sinks: its topics have partitions with numbers from 0, and a record may say which it goes to
   * ({@link RecordPage.partition}). Default false: a pipeline with the field `partition` is refused.
   */
  readonly partitions?: boolean;
}

/** What the name of a topic may look like. */
export interface TopicRule {
  /** A regular expression that the whole name must match. */
  readonly pattern: string;
  /** What the pattern means, for errors: `at most 249 letters, digits, ".", "_" and "-"`. */
  readonly doc: string;
}

/** What a plugin asks to touch. */
export interface PermissionRequest {
  /**
   * Hosts it connects to. Each entry is `host:port` or `{field}`, which stands for the host and port in that field's value
   * (a comma-separated list of `host:port`, or a URL).
   */
  readonly net?: readonly string[];
  /**
   * Hosts that know who the relay's machine is, such as a cloud's metadata service. Entries are as in
   * {@link PermissionRequest.net}, but every host needs the operator's word besides (`--plugin-net`), whoever wrote the plugin.
   */
  readonly guardedNet?: readonly string[];
  /** The sink learns further hosts from those it may reach (`discover`), such as the brokers of a cluster. */
  readonly discoversHosts?: boolean;
  /**
   * Packaged files that a first-party plugin reads, as module specifiers. Refused for external plugins, which are a
   * single file.
   */
  readonly assets?: readonly string[];
}

/** How the kernel may use an opened sink. */
export interface Opened {
  /** The most pages the sink wants in flight; the kernel may give fewer. Default 4. */
  readonly pagesInFlight?: number;
  /**
   * The longest that an answer may take, in milliseconds, with all that the sink repeats by itself. A sink that takes longer is
   * taken as hung and restarted. Default 300,000; at most 7,200,000.
   */
  readonly answerWithinMs?: number;
  /** A warning for the operator, shown in the log and in `status`: "TLS verification is off". */
  readonly notice?: string;
}
