/**
 * An HTTP server on the loopback interface that answers as a test says, and remembers what it was asked.
 *
 * @module
 */

import type { TestCertificate } from "./certificate.ts";
import { freePort } from "./port.ts";

/** A request that came. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** Answers a request. */
export type Answer = (request: SeenRequest) => Response | Promise<Response>;

/** The server. */
export class LoopbackServer implements AsyncDisposable {
  /** What came, in order. */
  readonly requests: SeenRequest[] = [];
  /** May be replaced at any time. */
  answer: Answer;
  readonly #port = freePort();
  readonly #certificate: TestCertificate | undefined;
  #server: Deno.HttpServer | undefined;

  /** Start one. @param certificate with one it talks TLS */
  constructor(answer: Answer, certificate?: TestCertificate) {
    this.answer = answer;
    this.#certificate = certificate;
    this.resume();
  }

  /** `http://127.0.0.1:1234`; with TLS the host is `localhost`. */
  get origin(): string {
    return this.#certificate === undefined
      ? `http://127.0.0.1:${this.#port}`
      : `https://localhost:${this.#port}`;
  }

  /** Take connections again. */
  resume(): void {
    const tls = this.#certificate && { cert: this.#certificate.certificate, key: this.#certificate.key };
    const options = { hostname: "127.0.0.1", port: this.#port, onListen() {}, ...tls };
    this.#server = Deno.serve(options, (request) => this.#take(request));
  }

  /** Take no connections. */
  async halt(): Promise<void> {
    await this.#server?.shutdown();
    this.#server = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.halt();
  }

  async #take(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const seen = { method, path: `${pathname}${search}`, headers, body: await request.text() };
    this.requests.push(seen);
    return await this.answer(seen);
  }
}
