/**
 * A line to a broker on which is seen what a client shows it by SASL.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { FrameSplitter, readHead, WireReader } from "./kafka_wire.ts";
import { freePort } from "./port.ts";

const SASL_HANDSHAKE_KEY = 17;
const SASL_AUTHENTICATE_KEY = 36;

/** From this version on SaslAuthenticate is in the flexible encoding. */
const FLEXIBLE_VERSION = 2;

/** A line to one broker on this machine. */
export class SaslTap implements AsyncDisposable {
  /** Where clients connect, on 127.0.0.1. */
  readonly port = freePort();
  /** The mechanisms that were asked for. */
  readonly mechanisms: string[] = [];
  /** What was shown, in order. */
  readonly shown: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(targetPort: number) {
    this.#server = createServer((client) => this.#accept(client, targetPort));
  }

  /** Open a line. @param targetPort the broker's port on 127.0.0.1 */
  static async to(targetPort: number): Promise<SaslTap> {
    const tap = new SaslTap(targetPort);
    tap.#server.listen(tap.port, "127.0.0.1");
    await once(tap.#server, "listening");
    return tap;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(client: Socket, port: number): void {
    const server = connect({ host: "127.0.0.1", port });
    const requests = new FrameSplitter();
    client.on("data", (bytes) => requests.push(bytes).forEach((frame) => this.#see(frame)));
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.#sockets.delete(from);
      });
    }
  }

  #see(frame: Buffer): void {
    const { apiKey, version } = readHead(frame);
    if (apiKey === SASL_HANDSHAKE_KEY) {
      this.mechanisms.push(WireReader.ofRequest(frame, false).string(false) ?? "");
    }
    if (apiKey !== SASL_AUTHENTICATE_KEY) return;
    const isFlexible = version >= FLEXIBLE_VERSION;
    this.shown.push(WireReader.ofRequest(frame, isFlexible).bytes(isFlexible)?.toString("utf8") ?? "");
  }
}
