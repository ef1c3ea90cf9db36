/**
 * What is shown to brokers: a password, or a token that is renewed before it expires.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Sasl } from "../config/sasl.ts";
import { awsCredentialsFrom } from "./aws_credentials.ts";
import { ClientCredentials } from "./client_credentials.ts";
import { mskToken } from "./msk_token.ts";
import { Renewed } from "./renewed.ts";

/** What is shown to a broker. */
export type Proof =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string; readonly extensions: Readonly<Record<string, string>> };

/** Gives what is shown to brokers. */
export interface Credentials {
  /** What to show now. @throws {FaultError} when there is none */
  proof(): Promise<Proof>;
  /** A broker has refused what was shown last: it is not shown again if another can be had. */
  refused(): void;
}

/** The credentials of a configuration, for all connections. */
export function credentialsOf(sasl: Sasl, clock: Clock): Credentials {
  switch (sasl.mechanism) {
    case "OAUTHBEARER": {
      const server = new ClientCredentials(sasl, clock);
      return renewing(
        new Renewed(() => server.fetch(), clock),
        ({ value }) => ({ kind: "token", token: value, extensions: sasl.extensions }),
      );
    }
    case "AWS_MSK_IAM":
      return renewing(
        new Renewed(awsCredentialsFrom(sasl.source, clock), clock),
        // A token is good for minutes only, so each connection gets its own.
        (keys) => ({ kind: "token", token: mskToken(keys, sasl.region, clock), extensions: {} }),
      );
    default: {
      const { username, password } = sasl;
      return { proof: () => Promise.resolve({ kind: "password", username, password }), refused: () => {} };
    }
  }
}

function renewing<T extends { readonly expiresAtMs: number }>(
  renewed: Renewed<T>,
  proofOf: (held: T) => Proof,
): Credentials {
  let shown: T | undefined;
  return {
    async proof() {
      shown = await renewed.get();
      return proofOf(shown);
    },
    refused() {
      if (shown !== undefined) renewed.forget(shown);
    },
  };
}
