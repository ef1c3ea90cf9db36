/**
 * A server that gives out what is shown to brokers, and its trouble told as faults.
 *
 * Nothing of an answer is told but what its format reserves for that: a server that was not meant could put anything there.
 *
 * @module
 */

import { STATUS_CODES } from "node:http";
import { FaultError, misconfigured, unavailable } from "@pg-tide/sdk";
import type { Clock } from "../clock.ts";
import { shownUrl } from "../fault/authentication.ts";
import { tell } from "../fault/tell.ts";
import { isUntrusted } from "../fault/untrusted.ts";
import { type HttpAnswer, type HttpRequest, sendHttp } from "./http_request.ts";

/** The longest pause that a server may ask for, in milliseconds. */
const RETRY_AFTER_MAX_MS = 300_000;

/** Characters of a server's own words that are told. */
const WORDS_MAX = 300;

/** A server, as people know it. */
export interface EndpointIdentity {
  /** "OAuth server". */
  readonly title: string;
  /** What the codes of its faults begin with. */
  readonly code: string;
  /** The field with its URL. */
  readonly field: string;
  readonly url: string;
  /** The authorities to trust, as PEM, and the field for them, if there is one. */
  readonly ca?: string | undefined;
  readonly caField?: string;
  /** Whether it is a metadata service, which knows its clients by the path that they ask for. */
  readonly metadata?: boolean;
}

/** A server that gives out what is shown to brokers. */
export class Endpoint {
  readonly #identity: EndpointIdentity;
  readonly #clock: Clock;

  constructor(identity: EndpointIdentity, clock: Clock) {
    this.#identity = identity;
    this.#clock = clock;
  }

  /**
   * Ask, at its URL or at another path of the same server.
   *
   * @returns the answer, whatever it is but an outage
   * @throws {FaultError} when there is none
   */
  async ask(request: Omit<HttpRequest, "url" | "ca">, path?: string): Promise<HttpAnswer> {
    const { url, ca } = this.#identity;
    const target = path === undefined ? new URL(url) : new URL(path, url);
    const answer = await sendHttp({ ...request, url: target, ca }, this.#clock).catch((error) => {
      throw this.#unreachable(error);
    });
    if (isOutage(answer.status)) throw this.outage(answer);
    return answer;
  }

  /** The fault of an answer that may be another one later. @param words the server's own */
  outage({ status, headers }: HttpAnswer, words = ""): FaultError {
    const { title, code } = this.#identity;
    const reason = `The ${title} ${this.shownUrl} answers ${statusText(status)}${said(words)}`;
    return new FaultError(unavailable(`${code}_UNAVAILABLE`, reason, retryAfterMs(headers["retry-after"])));
  }

  /** The fault of a server that refuses. @param whom as in "refuses client x" @param words the server's own */
  refusal(whom: string, words: string, advice: string): FaultError {
    const { title, code } = this.#identity;
    const reason = `The ${title} ${this.shownUrl} refuses ${whom}${said(words)}`;
    return new FaultError(misconfigured(`${code}_REFUSED`, reason, advice));
  }

  /** The fault of an answer that is of no use. @param expected what it should be */
  nonsense({ status, headers }: HttpAnswer, expected: string): FaultError {
    const { title, code, field } = this.#identity;
    const redirected = status >= 300 && status < 400;
    const what = redirected
      ? "a redirect, which is not followed"
      : headers["content-type"]?.split(";", 1)[0] ?? "no content";
    return new FaultError(misconfigured(
      `${code}_ANSWER`,
      `The ${title} ${this.shownUrl} answers ${statusText(status)} (${cleaned(what)}), expected ${expected}`,
      `Check ${field}: it may be the URL of a page for people, of a proxy on the way, or of another service`,
    ));
  }

  /** Its URL without what could be secret: parameters, and a metadata service's path. */
  get shownUrl(): string {
    const { metadata, url } = this.#identity;
    return metadata === true ? new URL(url).origin : shownUrl(url);
  }

  #unreachable(error: unknown): FaultError {
    const { title, code, field, caField } = this.#identity;
    const told = tell(error);
    const reason = `Cannot reach the ${title} ${this.shownUrl}: ${told.text}`;
    if (isUntrusted(told)) {
      const authority = caField === undefined ? "Let the relay's machine trust" : `Set ${caField} to`;
      return new FaultError(misconfigured(
        `${code}_CERTIFICATE`,
        reason,
        `${authority} the authority that signed the server's certificate, and use the name in ${field} that it is made for`,
      ));
    }
    return new FaultError(
      unavailable(
        `${code}_UNREACHABLE`,
        `${reason}. Check ${field}, that the network lets the relay through, and that DNS resolves the name`,
      ),
      { cause: error },
    );
  }
}

/** Whether a status says that the same request may succeed later. */
function isOutage(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status);
}

function statusText(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ""}`.trim();
}

function said(words: string): string {
  const text = cleaned(words);
  return text === "" ? "" : `: ${text}`;
}

/** A server's words: one line, not long, and cut between two words, as half a secret would not be known for one. */
function cleaned(words: string): string {
  const line = words.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return line.length <= WORDS_MAX ? line : line.slice(0, WORDS_MAX).replace(/\S+$/, "…");
}

/** The pause that a server asks for in seconds; a date is left to the relay's own backoff. */
function retryAfterMs(header: string | undefined): number | undefined {
  const seconds = Number(header);
  return header !== undefined && seconds > 0 ? Math.min(seconds * 1_000, RETRY_AFTER_MAX_MS) : undefined;
}
