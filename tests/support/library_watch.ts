/**
 * What the Kafka sink's library does in this process, as it tells by its diagnostics channels.
 *
 * @module
 */

import { channel } from "node:diagnostics_channel";

const CONNECTS = channel("tracing:plt:kafka:connections:connects:start");
const REQUESTS = channel("tracing:plt:kafka:connections:api:start");

const SASL_HANDSHAKE_KEY = 17;

/** Counts from when it is made until it is disposed of. */
export class LibraryWatch implements Disposable {
  /** Connections that were begun. */
  connects = 0;
  /** How often a connection has shown who it is, the first time included. */
  authentications = 0;
  readonly #onConnect = () => void this.connects++;
  readonly #onRequest = (message: unknown) => {
    if ((message as { readonly apiKey?: unknown }).apiKey === SASL_HANDSHAKE_KEY) this.authentications++;
  };

  constructor() {
    CONNECTS.subscribe(this.#onConnect);
    REQUESTS.subscribe(this.#onRequest);
  }

  [Symbol.dispose](): void {
    CONNECTS.unsubscribe(this.#onConnect);
    REQUESTS.unsubscribe(this.#onRequest);
  }
}
