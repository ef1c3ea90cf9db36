/**
 * The sockets of a pool of connections, opened and given up by ourselves.
 *
 * The driver could open them, but then a server that accepts connections and closes them at once (a proxy with nothing behind
 * it) keeps it trying without a pause and without an error; and it cannot give up connections on which nothing arrives
 * any more, which the system does after a quarter of an hour.
 *
 * @module
 */

import { connect, Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { within } from "../base/within.ts";
import type { ConnectionTarget } from "./connection_url.ts";

/** Sockets to one server. */
export class Sockets {
  readonly #target: ConnectionTarget;
  readonly #connectMs: number;
  readonly #clock: Clock;
  readonly #open = new Set<Socket>();
  /** How many were closed before anything had arrived; each makes the next one fail, for the driver to notice. */
  #silent = 0;

  constructor(target: ConnectionTarget, connectMs: number, clock: Clock) {
    this.#target = target;
    this.#connectMs = connectMs;
    this.#clock = clock;
  }

  /** Open one. Never rejects, because the driver would lose a place in its pool: what cannot connect fails when it is used. */
  async open(): Promise<Socket> {
    if (this.#silent > 0) {
      this.#silent--;
      return new FailedSocket(
        connectionError("CONNECTION_CLOSED", "the server closed the connection at once"),
      );
    }
    for (const socket of this.#open) if (socket.destroyed) this.#open.delete(socket);
    const { host, port } = this.#target;
    const socket = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    this.#open.add(socket);
    const failure = await this.#connected(socket);
    if (failure !== null) {
      socket.destroy();
      return new FailedSocket(failure);
    }
    socket.once("close", (hadError) => void (hadError || socket.bytesRead > 0 || this.#silent++));
    // Where the driver looks for the name that a certificate must have.
    return Object.assign(socket, { host, port });
  }

  /** Give all of them up: every query that waits for an answer fails with `error`. */
  giveUp(error: Error): void {
    for (const socket of this.#open) socket.destroy(error);
    this.#open.clear();
  }

  async #connected(socket: Socket): Promise<Error | null> {
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    const fail = (error: Error) => resolve(error);
    socket.once("connect", () => resolve(null));
    socket.once("error", fail);
    const failure = await within(this.#clock, this.#connectMs, promise);
    if (failure === undefined) {
      return connectionError("CONNECT_TIMEOUT", `there was no answer within ${this.#connectMs} ms`);
    }
    // After a failure the listener stays: an error that comes later must not end the process.
    if (failure === null) socket.off("error", fail);
    return failure;
  }
}

/** A socket that fails with a given error as soon as something is written to it. */
class FailedSocket extends Socket {
  readonly #error: Error;

  constructor(error: Error) {
    super();
    this.#error = error;
  }

  override write(): boolean {
    this.destroy(this.#error);
    return true;
  }
}

function connectionError(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}
