/**
 * Tokens from an OAuth server by the client credentials grant (RFC 6749, 4.4).
 *
 * The client authenticates by the header, as every server must understand, with its id and secret form-encoded, as it
 * must (2.3.1). Some servers take them in the body only, others do not decode them: one that refuses the client is asked once more
 * with both in the body, and from then on asked so if that was better.
 *
 * @module
 */

import { FaultError, misconfigured } from "@pg-tide/sdk";
import type { Clock } from "../clock.ts";
import type { OAuthSasl } from "../config/sasl_oauth.ts";
import { Endpoint } from "./endpoint.ts";
import type { HttpAnswer } from "./http_request.ts";
import { lifeOf, type Token } from "./token.ts";

/** Errors (RFC 6749, 5.2) of servers that have recognised the client. */
const CLIENT_KNOWN: ReadonlySet<string> = new Set([
  "access_denied",
  "invalid_scope",
  "invalid_target",
  "unauthorized_client",
  "unsupported_grant_type",
]);

/** Gets tokens. */
export class ClientCredentials {
  readonly #options: OAuthSasl;
  readonly #clock: Clock;
  readonly #server: Endpoint;
  #inBody = false;

  constructor(options: OAuthSasl, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#server = new Endpoint({
      title: "OAuth server",
      code: "OAUTH_SERVER",
      field: "sasl_oauth_token_url",
      url: options.tokenUrl,
      ca: options.ca,
      caField: "sasl_oauth_ca_cert",
    }, clock);
  }

  /** A new token. @throws {FaultError} when none is to be had */
  async fetch(): Promise<Token> {
    const askedAtMs = this.#clock.monotonicMs();
    let answer = await this.#ask(this.#inBody);
    if (!this.#inBody && isClientUnknown(answer)) {
      answer = await this.#ask(true);
      this.#inBody = answer.status === 200;
    }
    const { value, expiresIn } = this.#read(answer);
    return { value, expiresAtMs: askedAtMs + lifeOf(value, expiresIn, this.#clock.wallMs()) };
  }

  #ask(inBody: boolean): Promise<HttpAnswer> {
    const { clientId, clientSecret, scope } = this.#options;
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    if (scope !== undefined) form.set("scope", scope);
    if (inBody) {
      form.set("client_id", clientId);
      form.set("client_secret", clientSecret);
    }
    return this.#server.ask({
      method: "POST",
      headers: inBody ? {} : { authorization: `Basic ${this.#basic()}` },
      body: form.toString(),
    });
  }

  #read(answer: HttpAnswer): { readonly value: string; readonly expiresIn: unknown } {
    const members = membersOf(answer.text);
    if (answer.status !== 200) {
      if (typeof members["error"] !== "string") throw this.#server.nonsense(answer, "a token");
      throw this.#refusal(members["error"], members["error_description"]);
    }
    const { access_token: value, token_type: type, expires_in: expiresIn } = members;
    if (typeof value !== "string" || value === "") {
      throw this.#server.nonsense(answer, "JSON with an access_token");
    }
    const isBearer = type === undefined || String(type).toLowerCase() === "bearer";
    // Anything else would not arrive as it is (RFC 6750, 2.1).
    if (!isBearer || !/^[\x21-\x7e]+$/.test(value)) {
      throw new FaultError(misconfigured(
        "OAUTH_SERVER_ANSWER",
        `The OAuth server ${this.#server.shownUrl} gives a token of another type than bearer`,
        "Ask whoever runs the OAuth server for bearer tokens",
      ));
    }
    return { value, expiresIn };
  }

  #refusal(error: string, description: unknown): FaultError {
    const { clientId, scope } = this.#options;
    const words = typeof description === "string" ? `${error}: ${description}` : error;
    const advice = CLIENT_KNOWN.has(error)
      ? `Allow the client at the OAuth server the client credentials grant${
        scope === undefined ? ", or set sasl_oauth_scope" : ` and the scope "${scope}" of sasl_oauth_scope`
      }`
      : "Verify sasl_oauth_client_id, and that the variable that holds sasl_oauth_client_secret is set and holds the present secret";
    return this.#server.refusal(`client "${clientId}"`, this.#withoutSecret(words), advice);
  }

  /** The client's id and secret as the header takes them. */
  #basic(): string {
    const { clientId, clientSecret } = this.#options;
    const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
    return new TextEncoder().encode(pair).toBase64();
  }

  /** A server's words without the secret, however it was sent: some repeat the request that they do not like. */
  #withoutSecret(words: string): string {
    const { clientSecret } = this.#options;
    const spellings = [this.#basic(), clientSecret, formEncoded(clientSecret)];
    return spellings.reduce((text, spelling) => text.replaceAll(spelling, "***"), words);
  }
}

/** Whether a server has not recognised the client, as far as it says. */
function isClientUnknown({ status, text }: HttpAnswer): boolean {
  const { error } = membersOf(text);
  return (status === 400 || status === 401) && !(typeof error === "string" && CLIENT_KNOWN.has(error));
}

/** The members of a JSON object; none when it is something else. */
function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** As a value of a form (application/x-www-form-urlencoded). */
function formEncoded(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}
