/**
 * Who the relay is to one broker, over one connection: shown when it is made, and again before the broker stops believing it.
 *
 * @module
 */

import type { ConnectionOptions } from "@platformatic/kafka";
import type { Credentials, Proof } from "../authentication/credentials.ts";
import type { Clock } from "../clock.ts";
import type { Sasl } from "../config/sasl.ts";
import { saslOptions } from "./sasl_exchange.ts";
import { Session } from "./session.ts";

/** What an identity needs of its connection. */
export interface IdentityPorts {
  readonly sasl: Sasl;
  /** For all connections. */
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** Whether the connection can be used. */
  readonly isOpen: () => boolean;
  /** Authenticate again, with what was prepared. */
  readonly reauthenticate: () => void;
  /** The broker will not believe the connection much longer. */
  readonly onEnd: () => void;
}

/** Who the relay is over one connection. */
export class Identity {
  /** For the library. */
  readonly options: NonNullable<ConnectionOptions["sasl"]>;
  readonly #credentials: Credentials;
  readonly #session: Session;
  #proof: Proof | undefined;

  constructor({ sasl, credentials, clock, isOpen, reauthenticate, onEnd }: IdentityPorts) {
    this.#credentials = credentials;
    this.#session = new Session({
      clock,
      prepare: () => this.prepare(),
      renew: () => {
        if (isOpen()) reauthenticate();
      },
      onEnd,
    });
    this.options = saslOptions(sasl, {
      proof: () => this.#prepared(),
      onAccepted: (lifetimeMs) => this.#session.begin(lifetimeMs),
      onRefused: () => credentials.refused(),
    });
  }

  /**
   * Get what the broker is shown next. Waiting for whoever gives it out is no part of connecting, and while it lasts an open
   * connection is of use.
   *
   * @throws {FaultError} when there is nothing to show now
   */
  async prepare(): Promise<void> {
    this.#proof = await this.#credentials.proof();
  }

  /** The connection is closed. */
  stop(): void {
    this.#session.stop();
  }

  #prepared(): Proof {
    if (this.#proof === undefined) throw new TypeError("Cannot authenticate: nothing is prepared");
    return this.#proof;
  }
}
