/**
 * One HTTP request for credentials: bounded in time and size, never redirected, and over no proxy, which would learn them.
 *
 * @module
 */

import {
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
} from "node:http";
import { request as requestHttps } from "node:https";
import type { Clock } from "../clock.ts";

/** How long a request may take, in milliseconds, with looking up the name, TLS and the whole answer. */
const ANSWER_WITHIN_MS = 10_000;

/** Characters of an answer. Tokens with many groups in them have tens of thousands. */
const ANSWER_LENGTH_MAX = 1024 * 1024;

/** A request. */
export interface HttpRequest {
  readonly url: URL;
  readonly method: "GET" | "POST" | "PUT";
  readonly headers?: Readonly<Record<string, string>>;
  /** A form. */
  readonly body?: string;
  /** The authorities to trust, as PEM. Absent: those that the relay trusts. */
  readonly ca?: string | undefined;
}

/** An answer, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** Send a request. Rejects with what the system says when there is no whole answer in time. */
export function sendHttp(request: HttpRequest, clock: Clock): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const sent = start(request);
  const callOff = clock.after(
    ANSWER_WITHIN_MS,
    () => sent.destroy(new Error(`No answer within ${ANSWER_WITHIN_MS / 1_000} seconds`)),
  );
  sent.on("error", reject);
  sent.on("response", (response) => readAnswer(response).then(resolve, reject));
  sent.end(request.body);
  return promise.finally(() => {
    callOff();
    sent.destroy();
  });
}

function start({ url, method, headers, body, ca }: HttpRequest): ClientRequest {
  const form = body === undefined
    ? {}
    : { "content-type": "application/x-www-form-urlencoded", "content-length": String(byteLength(body)) };
  const options: RequestOptions = {
    method,
    headers: { accept: "application/json", "user-agent": "pg-tide", ...form, ...headers },
    // A connection of its own, which ends with the answer: the next request comes minutes later.
    agent: false,
  };
  return url.protocol === "https:"
    ? requestHttps(url, { ...options, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) })
    : requestHttp(url, options);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

async function readAnswer(response: IncomingMessage): Promise<HttpAnswer> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    text += chunk;
    if (text.length > ANSWER_LENGTH_MAX) {
      throw new Error(`The answer has more than ${ANSWER_LENGTH_MAX} characters`);
    }
  }
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
