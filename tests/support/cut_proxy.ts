/**
 * A TCP proxy between a client and a server, whose line can be cut.
 *
 * ```ts
 * await using line = CutProxy.to(kafkaPort);
 * // … let the client connect to line.port
 * line.cut();             // both ends see a reset; new connections work
 * line.freeze();          // both ends see nothing, ever again; new connections work
 * line.mode = "refuse";   // as if nothing listened
 * line.mode = "hang";     // connections are accepted and nothing ever arrives
 * ```
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { freePort } from "./port.ts";

/**
 * What becomes of bytes: `forward` passes them on; `hang` keeps every connection open, old and new, and passes
 * nothing on, as when packets are dropped; `refuse` resets every connection, old and new.
 */
export type LineMode = "forward" | "hang" | "refuse";

/** A line to one server on this machine. */
export class CutProxy implements AsyncDisposable {
  /** Where clients connect, on 127.0.0.1. */
  readonly port: number;
  /** Where the line leads; may be set before the first connection. */
  targetPort: number;
  #mode: LineMode = "forward";
  readonly #server: Server;
  readonly #links = new Map<Socket, Socket>();
  /** Sockets of links that are no more, until they are closed. */
  readonly #parted = new Set<Socket>();

  private constructor(port: number, targetPort: number) {
    this.port = port;
    this.targetPort = targetPort;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Open a line. @param targetPort the server's port on 127.0.0.1 */
  static async to(targetPort: number, port = freePort()): Promise<CutProxy> {
    const proxy = new CutProxy(port, targetPort);
    proxy.#server.listen(port, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** How many connections go through it now. */
  get connections(): number {
    return this.#links.size;
  }

  get mode(): LineMode {
    return this.#mode;
  }

  set mode(mode: LineMode) {
    this.#mode = mode;
    if (mode === "refuse") this.cut();
    for (const pair of this.#links) {
      for (const socket of pair) mode === "hang" ? socket.pause() : socket.resume();
    }
  }

  /** Reset every connection there is. */
  cut(): void {
    for (const [client, server] of this.#links) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.#links.clear();
  }

  /** Pass nothing on any more on the connections there are, as when a network forgets them and tells nobody. */
  freeze(): void {
    for (const pair of this.#links) {
      for (const socket of pair) {
        socket.removeAllListeners("data").pause();
        this.#parted.add(socket);
      }
    }
    this.#links.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    for (const socket of this.#parted) socket.resetAndDestroy();
    await closed;
  }

  #accept(client: Socket): void {
    if (this.#mode === "refuse") {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: "127.0.0.1", port: this.targetPort });
    this.#links.set(client, server);
    if (this.#mode === "hang") [client, server].forEach((socket) => socket.pause());
    this.#join(client, client, server);
    this.#join(client, server, client);
  }

  /** Pass on bytes in one direction, with the receiver's pace. */
  #join(key: Socket, from: Socket, to: Socket): void {
    from.on("data", (bytes) => {
      if (to.write(bytes)) return;
      from.pause();
      to.once("drain", () => this.#mode === "forward" && from.resume());
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", (failed) => {
      this.#links.delete(key);
      this.#parted.delete(from);
      if (failed || to.closed) return void to.destroy();
      // What it has sent still arrives.
      this.#parted.add(to);
      to.end();
    });
  }
}
