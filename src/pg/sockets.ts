/**
 * The sockets of a pool of connections, opened and given up by ourselves.
 *
 * The driver could open them, but it has no way to give up connections on which nothing arrives any more, which the system
 * does after a quarter of an hour; and it answers a connection that is closed during the login, as by a proxy with nothing behind
 * it, by opening it again and again, without a pause or an error.
 *
 * @module
 */

import { connect, isIP, Socket } from "node:net";
import { connect as secure } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { within } from "../base/within.ts";
import type { ConnectionTarget } from "./connection_url.ts";

/** Asks the server for TLS; it answers with one letter. */
const TLS_REQUEST = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f);
const ACCEPTED = 0x53;
const REFUSED = 0x4e;

/** Sockets to one server. */
export class Sockets {
  readonly #target: ConnectionTarget;
  readonly #connectMs: number;
  readonly #clock: Clock;
  readonly #open = new Set<Socket>();
  readonly #closed = new AbortController();

  constructor(target: ConnectionTarget, connectMs: number, clock: Clock) {
    this.#target = target;
    this.#connectMs = connectMs;
    this.#clock = clock;
  }

  /**
   * Open one, with TLS if the URL says so. Never rejects, because the driver would lose a place in its pool: what cannot connect
   * fails when it is used.
   */
  async open(): Promise<Socket> {
    if (this.#closed.signal.aborted) return new FailedSocket(failure("CONNECTION_ENDED", "it was closed"));
    for (const socket of this.#open) if (socket.destroyed) this.#open.delete(socket);
    const { host, port } = this.#target;
    const socket = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    this.#open.add(socket);
    // What comes too late must not end the process.
    socket.on("error", () => {});
    try {
      const ready = await within(this.#clock, this.#connectMs, this.#prepare(socket));
      if (ready !== undefined) return outspoken(ready);
      throw failure("CONNECT_TIMEOUT", `there was no answer within ${this.#connectMs} ms`);
    } catch (error) {
      socket.destroy();
      return new FailedSocket(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Give all of them up: every query that waits for an answer fails with `error`. */
  giveUp(error: Error): void {
    for (const socket of this.#open) socket.destroy(error);
    this.#open.clear();
  }

  /** Give all of them up for good. */
  close(): void {
    this.#closed.abort();
    this.giveUp(failure("CONNECTION_ENDED", "it was closed"));
  }

  async #prepare(socket: Socket): Promise<Socket> {
    await happens(socket, "connect");
    const { host, ssl } = this.#target;
    if (ssl === false) return socket;
    socket.write(TLS_REQUEST);
    const answer = await happens<Uint8Array>(socket, "data");
    // More than one letter would have been written by somebody between us and the server.
    if (answer.length !== 1 || (answer[0] !== ACCEPTED && answer[0] !== REFUSED)) {
      throw failure("TLS_REFUSED", "the server does not answer as PostgreSQL does");
    }
    if (answer[0] === REFUSED) {
      if (ssl === "prefer") return socket;
      throw failure("TLS_REFUSED", "the server takes no encrypted connections");
    }
    const encrypted = secure({
      socket,
      host,
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: ssl === "verify-full",
    });
    await happens(encrypted, "secureConnect");
    return encrypted;
  }
}

/** Make the end of a connection an error when it comes before the login is over, so that whoever waits for it is told. */
function outspoken(socket: Socket): Socket {
  const { write, emit } = socket;
  let isReady = false;
  return Object.assign(socket, {
    write(chunk: Uint8Array, ...rest: unknown[]) {
      isReady ||= isQuery(chunk);
      return Reflect.apply(write, socket, [chunk, ...rest]);
    },
    emit(event: string, ...values: unknown[]) {
      if (!isReady && event === "close" && values[0] !== true) {
        Reflect.apply(emit, socket, ["error", closed()]);
      }
      return Reflect.apply(emit, socket, [event, ...values]);
    },
  });
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

/** Wait for an event of a socket; its error, or its end, is thrown. */
function happens<T>(socket: Socket, event: string): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  socket.once(event, resolve);
  socket.once("error", reject);
  socket.once("close", () => reject(closed()));
  return promise.finally(() => socket.off(event, resolve));
}

/** Whether these bytes begin with a query, which the driver sends only after the login. */
function isQuery(chunk: Uint8Array): boolean {
  return chunk[0] === 0x50 || chunk[0] === 0x51;
}

function closed(): Error {
  return failure("CONNECTION_CLOSED", "the server closed the connection");
}

function failure(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}
