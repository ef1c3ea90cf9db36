/**
 * A line to a broker on which requests are seen, and answers can be held back.
 *
 * ```ts
 * await using tap = await RequestTap.to(kafkaPort);
 * tap.holds = "produce";   // the broker takes requests, and the client learns nothing of it
 * // …
 * tap.holds = "nothing";   // the answers go out, in their order
 * ```
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { correlationIdOf, FrameSplitter, readHead, type RequestHead } from "./kafka_wire.ts";
import { freePort } from "./port.ts";

/** Which answers do not reach the client. Those behind one that is held wait as well: answers come in order. */
export type Holding = "nothing" | "produce" | "everything";

const PRODUCE_KEY = 0;

/** A line to one broker on this machine. */
export class RequestTap implements AsyncDisposable {
  /** Where clients connect, on 127.0.0.1. */
  readonly port: number;
  /** Where the line leads; may be set before the first connection. */
  targetPort: number;
  /** Every request, in the order in which they came. */
  readonly requests: RequestHead[] = [];
  /** The most Produce requests that a connection has waited for at once, since it was set to 0. */
  inFlightMax = 0;
  #holds: Holding = "nothing";
  readonly #server: Server;
  readonly #links = new Set<TappedLink>();

  private constructor(port: number, targetPort: number) {
    this.port = port;
    this.targetPort = targetPort;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Open a line. @param targetPort the server's port on 127.0.0.1 */
  static async to(targetPort: number, port = freePort()): Promise<RequestTap> {
    const tap = new RequestTap(port, targetPort);
    tap.#server.listen(port, "127.0.0.1");
    await once(tap.#server, "listening");
    return tap;
  }

  /** How many connections there are now. */
  get connections(): number {
    return this.#links.size;
  }

  /** Produce requests that wait for their answers now. */
  get inFlight(): number {
    return [...this.#links].reduce((sum, link) => sum + link.inFlight, 0);
  }

  /** How many Produce requests a client has sent. */
  produced(clientId: string): number {
    return this.requests.filter((one) => one.apiKey === PRODUCE_KEY && one.clientId === clientId).length;
  }

  get holds(): Holding {
    return this.#holds;
  }

  set holds(holds: Holding) {
    this.#holds = holds;
    for (const link of this.#links) link.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const link of this.#links) link.cut();
    await closed;
  }

  #accept(client: Socket): void {
    const server = connect({ host: "127.0.0.1", port: this.targetPort });
    const link: TappedLink = new TappedLink(client, server, {
      onRequest: (head) => {
        this.requests.push(head);
        this.inFlightMax = Math.max(this.inFlightMax, link.inFlight);
      },
      isHeld: (apiKey) =>
        this.#holds === "everything" || (this.#holds === "produce" && apiKey === PRODUCE_KEY),
      onClose: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

interface LinkPorts {
  readonly onRequest: (head: RequestHead) => void;
  readonly isHeld: (apiKey: number) => boolean;
  readonly onClose: () => void;
}

/** A client's connection, and the one to the broker that belongs to it. */
class TappedLink {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #ports: LinkPorts;
  /** The requests without an answer, by their numbers. */
  readonly #open = new Map<number, RequestHead>();
  /** Answers that the client has not been given. */
  #held: Buffer[] = [];

  constructor(client: Socket, server: Socket, ports: LinkPorts) {
    this.#client = client;
    this.#server = server;
    this.#ports = ports;
    const requests = new FrameSplitter();
    const answers = new FrameSplitter();
    client.on("data", (bytes) => requests.push(bytes).forEach((frame) => this.#pass(frame)));
    server.on("data", (bytes) => {
      this.#held.push(...answers.push(bytes));
      this.release();
    });
    // Small frames must not wait for the acknowledgement of those before them.
    for (const socket of [client, server]) socket.setNoDelay(true);
    for (const [from, to] of [[client, server], [server, client]] as const) {
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        ports.onClose();
      });
    }
  }

  /** Produce requests that wait for their answers. */
  get inFlight(): number {
    return [...this.#open.values()].filter(({ apiKey }) => apiKey === PRODUCE_KEY).length;
  }

  /** Give the client what is not held any more. */
  release(): void {
    for (let frame = this.#held[0]; frame !== undefined; frame = this.#held[0]) {
      const id = correlationIdOf(frame);
      const head = this.#open.get(id);
      if (head !== undefined && this.#ports.isHeld(head.apiKey)) return;
      this.#held.shift();
      this.#open.delete(id);
      this.#client.write(frame);
    }
  }

  cut(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  #pass(frame: Buffer): void {
    const head = readHead(frame);
    this.#open.set(head.correlationId, head);
    this.#ports.onRequest(head);
    this.#server.write(frame);
  }
}
