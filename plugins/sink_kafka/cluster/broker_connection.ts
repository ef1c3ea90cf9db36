/**
 * A connection to one broker: connects, authenticates, and finds out which versions of the protocol to speak.
 *
 * @module
 */

import { apiVersionsV0, apiVersionsV3, Connection, type ConnectionOptions } from "@platformatic/kafka";
import type { Credentials } from "../authentication/credentials.ts";
import type { Clock } from "../clock.ts";
import { type Address, formatAddress } from "../config/connection.ts";
import type { Options } from "../config/options.ts";
import type { Producer } from "./cluster_port.ts";
import { Identity } from "./identity.ts";
import { IdleWatch } from "./idle_watch.ts";
import { type ProduceAnswer, type Producing, type TopicBatches, unansweredRequest } from "./produce_api.ts";
import { tlsOptions } from "./tls_options.ts";
import { negotiate, UnsupportedBrokerError, type VersionRange, type Versions } from "./versions.ts";

/** How long a closing connection may take to send what it has, in milliseconds: a hung broker takes nothing. */
const FLUSH_MS = 2_000;

/**
 * How long an answer about the cluster is waited for, in milliseconds, whatever `request_timeout_ms` allows a batch: the kernel
 * takes a sink that does not open within 120 s for hung.
 */
const QUESTION_MS = 30_000;

/** More than the sender and the cluster ever have in flight: they bound it, not the library. */
const REQUESTS_MAX = 64;

/** What a cluster says about itself and some topics. */
export interface Metadata {
  readonly brokers: readonly {
    readonly nodeId: number;
    readonly host: string;
    readonly port: number;
    readonly rack?: string | null | undefined;
  }[];
  readonly topics: readonly TopicMetadata[];
}

/** What a cluster says about a topic. */
export interface TopicMetadata {
  readonly name?: string | null | undefined;
  readonly errorCode: number;
  readonly topicId?: string | undefined;
  readonly partitions: readonly {
    readonly errorCode: number;
    readonly partitionIndex: number;
    readonly leaderId: number;
  }[];
}

/** What a connection is made of. */
export interface BrokerConnectionParts {
  readonly address: Address;
  readonly options: Options;
  readonly clock: Clock;
  /** Needed with SASL. */
  readonly credentials: Credentials | undefined;
  /** It should be closed: nothing was sent for long, or the broker will soon believe it no more. */
  readonly onSpent: (connection: BrokerConnection) => void;
}

/** A connection to one broker, made when it is first needed. */
export class BrokerConnection implements Producing {
  readonly address: Address;
  readonly #options: Options;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #identity: Identity | undefined;
  #versions: Versions | undefined;
  #opening: Promise<void> | undefined;
  readonly #use: IdleWatch;
  #retired = false;
  /** What the library said beside the answers to requests: why TLS ended, for example. */
  #complaint: Error | undefined;

  constructor({ address, options, clock, credentials, onSpent }: BrokerConnectionParts) {
    this.address = address;
    this.#options = options;
    this.#clock = clock;
    this.#use = new IdleWatch(clock, options.idleTimeoutMs, () => onSpent(this));
    this.#identity = options.sasl && credentials && new Identity({
      sasl: options.sasl,
      credentials,
      clock,
      isOpen: () => this.ready,
      reauthenticate: () => this.#connection.reauthenticate(),
      onEnd: () => onSpent(this),
    });
    this.#connection = new Connection(options.clientId, connectionOptions(options, this.#identity));
    // Whoever has a request on the connection is told by its callback; without a listener the event would be uncaught.
    this.#connection.on("error", (error) => this.#complaint ??= error);
    this.#connection.on("close", () => this.#rest());
  }

  /** Whether requests can be sent. */
  get ready(): boolean {
    return this.#versions !== undefined && this.#connection.isConnected();
  }

  /** Whether it was open once and will not be any more; another one must be made. */
  get lost(): boolean {
    return this.#versions !== undefined && !this.#connection.isConnected() && !this.#reauthenticating;
  }

  /** For how long the broker has owed answers and given none, in milliseconds. */
  get silentMs(): number {
    return this.#use.silentMs;
  }

  /** Connect, unless connected. Rejects with what the library or the socket says. */
  async open(): Promise<void> {
    this.#opening ??= this.#open();
    await this.#opening;
    if (this.#reauthenticating) await this.#connection.ready();
  }

  /** Close it as soon as no request is in flight. */
  async retire(): Promise<void> {
    this.#retired = true;
    if (!this.#use.busy) await this.close();
  }

  get #reauthenticating(): boolean {
    return this.#connection.status === "reauthenticating";
  }

  async #open(): Promise<void> {
    await this.#identity?.prepare();
    const { connectTimeoutMs } = this.#options;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const callOff = this.#clock.after(connectTimeoutMs, () => {
      const missing = this.#connection.isConnected() ? "answer" : "connection";
      reject(new Error(`No ${missing} within ${connectTimeoutMs} ms (connect_timeout_ms)`));
    });
    const introduced = this.#introduce();
    introduced.catch(() => {});
    try {
      this.#versions = await Promise.race([introduced, late]);
      if (this.ready) this.#use.start();
    } catch (error) {
      await this.close();
      throw this.#complaint === undefined ? error : new AggregateError([error, this.#complaint]);
    } finally {
      callOff();
    }
  }

  async #introduce(): Promise<Versions> {
    const connected = this.#connection.connect(this.address.host, this.address.port);
    // The library notices this only when there is no SASL.
    if (this.#options.tls === undefined) {
      this.#connection.socket?.once("data", (bytes) => this.#inspect(bytes));
    }
    await connected;
    return negotiate(await this.#apiVersions());
  }

  /** An answer that is a record of TLS comes from a port that wants TLS. */
  #inspect([type, major]: Uint8Array): void {
    if (type! >= 0x14 && type! <= 0x17 && major === 3) this.#complaint ??= new Error("Broker requires TLS");
  }

  /** See {@link Producing.produce}. */
  produce(
    acks: number,
    timeoutMs: number,
    topics: readonly TopicBatches[],
    done: (error: Error | null, answer?: ProduceAnswer) => void,
  ): void {
    const { produce } = this.#negotiated();
    this.#use.begin();
    const finish = (error: Error | null, answer?: ProduceAnswer) => {
      this.#ended();
      done(
        error &&
          new Error(`Request to Kafka broker ${formatAddress(this.address)} failed`, { cause: error }),
        answer,
      );
    };
    if (acks === 0) return this.#write(produce.version, timeoutMs, topics, finish);
    produce(this.#connection, acks, timeoutMs, topics, (error, answer) => {
      if (typeof answer === "object" && !error) finish(null, answer);
      else finish(error ?? new Error("Cannot read the broker's answer"));
    });
  }

  /**
   * Send a Produce request that the broker does not answer: it is done when the operating system has taken all of it. What still
   * waited in this process would be lost with it.
   */
  #write(
    version: number,
    timeoutMs: number,
    topics: readonly TopicBatches[],
    done: (error: Error | null) => void,
  ): void {
    const connection = this.#connection;
    let open = true;
    const finish = (error: Error | null) => {
      if (!open) return;
      open = false;
      callOff();
      connection.removeListener("close", onClose);
      done(error);
    };
    const onClose = () => finish(new Error("Connection closed"));
    const callOff = this.#clock.after(timeoutMs, () => connection.socket?.destroy());
    connection.once("close", onClose);
    // Not through the library, which knows only whether a socket wants more.
    const request = unansweredRequest(version, this.#options.clientId, timeoutMs, topics);
    connection.socket!.write(request, (error) => finish(error ?? null));
  }

  /** Ask about topics. The broker creates missing ones if its configuration and this client's say so. */
  async metadata(topics: readonly string[]): Promise<Metadata> {
    const { metadata } = this.#negotiated();
    const { allowAutoCreateTopics } = this.#options;
    try {
      return await this.#ask(metadata.api.async(this.#connection, [...topics], allowAutoCreateTopics, false));
    } catch (error) {
      // The library throws when any topic has an error, and keeps the answer in the error.
      const answer = (error as { response?: unknown }).response;
      if (isMetadata(answer)) return answer;
      throw error;
    }
  }

  /** Ask for a new producer id. */
  async initProducerId(): Promise<Producer> {
    const { initProducerId } = this.#negotiated();
    if (initProducerId === undefined) {
      throw new UnsupportedBrokerError(
        "Cannot get a producer id: the broker gives out none",
        "IDEMPOTENCE_NOT_OFFERED",
      );
    }
    const answer = await this.#ask(initProducerId.api.async(this.#connection, null, 60_000, -1n, -1));
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }

  /** Close it; requests in flight fail. What the socket has taken still goes out, because with `acks` 0 it counts as delivered. */
  async close(): Promise<void> {
    const { ready } = this;
    const { socket } = this.#connection;
    this.#connection.close(() => {});
    if (socket === undefined || socket.closed) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    if (!ready) socket.destroy();
    const callOff = this.#clock.after(FLUSH_MS, () => socket.destroy());
    await closed;
    callOff();
  }

  /** Wait for an answer that brokers give at once. One that owes it still owes it: another broker can be asked meanwhile. */
  async #ask<T>(answer: Promise<T>): Promise<T> {
    this.#use.begin();
    answer.catch(() => {}).finally(() => this.#ended());
    const { promise: late, reject } = Promise.withResolvers<never>();
    const callOff = this.#clock.after(
      QUESTION_MS,
      () => reject(new Error(`No answer within ${QUESTION_MS} ms`)),
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      callOff();
    }
  }

  #ended(): void {
    this.#use.end();
    if (this.#retired && !this.#use.busy) this.close();
  }

  /** Nothing is to be done for it any more. */
  #rest(): void {
    this.#use.stop();
    this.#identity?.stop();
  }

  #negotiated(): Versions {
    if (this.#versions === undefined) {
      throw new UnsupportedBrokerError("Cannot send: the connection is not open");
    }
    return this.#versions;
  }

  async #apiVersions(): Promise<ReadonlyMap<number, VersionRange>> {
    const { apiKeys } = await apiVersionsV3.api.async(this.#connection, "pg-tide", "1").catch((error) => {
      // A broker that does not know version 3 answers all the same; who does not answer would not answer to version 0 either.
      if (!this.#connection.isConnected()) throw error;
      return apiVersionsV0.api.async(this.#connection, "pg-tide", "1");
    });
    return new Map(apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion]]));
  }
}

function connectionOptions(options: Options, identity: Identity | undefined): ConnectionOptions {
  return {
    // `#open` limits it; the library's own limit knows nothing of what comes after SASL.
    connectTimeout: 2 * options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    maxInflights: REQUESTS_MAX,
    ...(options.tls === undefined ? {} : { tls: tlsOptions(options.tls) }),
    ...(identity === undefined ? {} : { sasl: identity.options }),
  };
}

function isMetadata(value: unknown): value is Metadata {
  return typeof value === "object" && value !== null && "brokers" in value && "topics" in value;
}
