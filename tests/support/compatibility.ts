/**
 * Which clusters the Kafka sink is compatible with, and what shows it: the tests run what stands here, and the README prints it.
 *
 * @module
 */

import type { Json } from "../../plugins/sdk/mod.ts";
import { KAFKA_VERSION } from "./kafka_jars.ts";
import type { ListenerName } from "./kafka_secure.ts";

/** An older release of Apache Kafka that tests run on. */
export interface OlderRelease {
  readonly version: string;
  readonly mode: "kraft" | "zookeeper";
  /** The version of Metadata that is spoken with it. */
  readonly metadata: number;
}

/** Those that the sink is tested with, besides {@link KAFKA_VERSION} in all other tests. */
export const OLDER_RELEASES: readonly OlderRelease[] = [
  { version: "3.9.2", mode: "kraft", metadata: 12 },
  { version: "2.8.2", mode: "zookeeper", metadata: 10 },
];

/** The release whose KRaft mode gives out no producer ids. */
export const WITHOUT_PRODUCER_IDS = "2.8.2";

/** A service, or a distribution, that takes no part in the tests. */
export interface Service {
  readonly name: string;
  /** The listener of a real broker that stands in for it. */
  readonly standIn: ListenerName;
  /** Its ready configuration, without brokers and topic. */
  readonly fields: Readonly<Record<string, Json>>;
}

const USER = { sasl_username: "${env:KAFKA_USERNAME}", sasl_password: "${env:KAFKA_PASSWORD}" };

/** The services and distributions that the page names. */
export const SERVICES: readonly Service[] = [
  {
    name: "Confluent Cloud",
    standIn: "SASL_SSL",
    fields: {
      tls_enabled: true,
      sasl_mechanism: "PLAIN",
      sasl_username: "${env:CONFLUENT_API_KEY}",
      sasl_password: "${env:CONFLUENT_API_SECRET}",
    },
  },
  {
    name: "Confluent Platform",
    standIn: "SSL",
    fields: {
      tls_enabled: true,
      tls_ca_cert: "/etc/certs/ca.pem",
      tls_client_cert: "/etc/certs/client.pem",
      tls_client_key: "/etc/certs/client-key.pem",
    },
  },
  {
    name: "Amazon MSK with SASL",
    standIn: "SASL_SSL",
    fields: { tls_enabled: true, sasl_mechanism: "SCRAM-SHA-512", ...USER },
  },
  {
    name: "Redpanda",
    standIn: "SASL_SSL",
    fields: { tls_enabled: true, sasl_mechanism: "SCRAM-SHA-256", ...USER },
  },
  {
    name: "Aiven for Kafka",
    standIn: "SASL_SSL",
    fields: { tls_enabled: true, tls_ca_cert: "/etc/certs/ca.pem", sasl_mechanism: "SCRAM-SHA-256", ...USER },
  },
  {
    name: "Upstash Kafka (which Upstash has discontinued)",
    standIn: "SASL_SSL",
    fields: { tls_enabled: true, sasl_mechanism: "SCRAM-SHA-256", ...USER },
  },
];

/** The releases, as a table of the README. */
export function releasesTable(): string {
  const older = OLDER_RELEASES.map(({ version, mode }) => [
    `${version}, ${mode === "kraft" ? "KRaft" : "ZooKeeper"}`,
    "every codec, idempotent or not; rejected records; missing topics; SCRAM; a broker that ends under load",
  ]);
  return table(["Apache Kafka", "Tested"], [
    [
      `${KAFKA_VERSION}, KRaft`,
      "everything; and three brokers that are restarted, killed, moved and given other addresses under load",
    ],
    ...older,
    [
      `${WITHOUT_PRODUCER_IDS}, KRaft`,
      "without `idempotent`: this early KRaft gives out no producer ids, and the sink says so",
    ],
  ]);
}

/** The services, as a table of the README. */
export function servicesTable(): string {
  return table(
    ["Cluster", "Configuration, besides `brokers` and `topic`", "Its stand-in in the tests"],
    SERVICES.map(({ name, standIn, fields }) => [
      name,
      Object.entries(fields).map(([field, value]) => `\`"${field}": ${JSON.stringify(value)}\``).join(", "),
      standIn === "SSL" ? "`SSL`, which wants a client certificate" : `\`${standIn}\``,
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
