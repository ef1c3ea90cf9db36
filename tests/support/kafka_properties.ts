/**
 * The properties of brokers for tests: where they listen, who leads them, and what suits a single machine.
 *
 * @module
 */

/** Where a broker listens on the loopback interface. */
export interface KafkaListener {
  readonly name: string;
  readonly port: number;
  readonly protocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  /** The host that clients are told. @default 127.0.0.1 */
  readonly host?: string;
  /** The port that clients are told, where something stands in front of it. @default port */
  readonly advertisedPort?: number;
}

/** What any broker for tests has. */
export interface BrokerPlace {
  readonly id: number;
  /** Of its listener PLAINTEXT. */
  readonly port: number;
  /** Where else it listens. */
  readonly listeners?: readonly KafkaListener[];
  /** Where its log segments are. */
  readonly data: string;
}

/** A broker that is also one of the controllers. */
export interface KraftPlace extends BrokerPlace {
  readonly controllerPort: number;
  /** All controllers: `1@127.0.0.1:9093`. */
  readonly voters: string;
}

/** A file of server.properties, or of ZooKeeper's. */
export type Properties = Readonly<Record<string, string>>;

/** Of a node in KRaft mode, which needs no other server. */
export function kraftProperties({ controllerPort, voters, ...place }: KraftPlace): Properties {
  const controller: KafkaListener = { name: "CONTROLLER", port: controllerPort, protocol: "PLAINTEXT" };
  return {
    ...brokerProperties(place, [controller]),
    "process.roles": "broker,controller",
    "node.id": String(place.id),
    "controller.quorum.voters": voters,
    "controller.listener.names": controller.name,
    // After a SIGKILL the new process waits until its former self has been forgotten: 9 seconds by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
  };
}

/** Of a broker that ZooKeeper coordinates. */
export function zookeeperBrokerProperties(place: BrokerPlace, zookeeperPort: number): Properties {
  return {
    ...brokerProperties(place),
    "broker.id": String(place.id),
    "zookeeper.connect": `127.0.0.1:${zookeeperPort}`,
    // After a SIGKILL the new process cannot start until its former self has been forgotten: 18 seconds by default.
    "zookeeper.session.timeout.ms": "2000",
  };
}

/** Of a ZooKeeper that stands alone. */
export function zookeeperProperties(port: number, data: string): Properties {
  return {
    "dataDir": data,
    "clientPort": String(port),
    "clientPortAddress": "127.0.0.1",
    "maxClientCnxns": "0",
    "admin.enableServer": "false",
    // In milliseconds: sessions last twice as long, at least.
    "tickTime": "500",
  };
}

function brokerProperties(
  { port, listeners = [], data }: BrokerPlace,
  forOthers: readonly KafkaListener[] = [],
): Properties {
  const plain: KafkaListener = { name: "PLAINTEXT", port, protocol: "PLAINTEXT" };
  const forClients = [plain, ...listeners];
  const all = [...forClients, ...forOthers];
  return {
    "listeners": all.map(({ name, port }) => `${name}://127.0.0.1:${port}`).join(","),
    "advertised.listeners": forClients.map(advertised).join(","),
    "listener.security.protocol.map": all.map(({ name, protocol }) => `${name}:${protocol}`).join(","),
    "inter.broker.listener.name": plain.name,
    "log.dirs": data,
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    // One node and few partitions: what a single machine needs, and a quick start of the first consumer group.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
  };
}

function advertised({ name, host = "127.0.0.1", port, advertisedPort = port }: KafkaListener): string {
  return `${name}://${host}:${advertisedPort}`;
}
