/**
 * How a broker is shown who the relay is, in place of the library's own way.
 *
 * The library takes a token that a broker has refused for one that it has taken, because the refusal is an answer without an error
 * code that waits for an answer (RFC 7628, 3.2.3). And its timer for authenticating again outlives a connection that the broker
 * closed: see {@link Session}.
 *
 * @module
 */

import {
  type Connection,
  type ConnectionOptions,
  type SASLMechanismValue,
  saslPlain,
  saslScramSha,
} from "@platformatic/kafka";
import { Buffer } from "node:buffer";
import type { Proof } from "../authentication/credentials.ts";
import type { Sasl } from "../config/sasl.ts";

type SaslOptions = NonNullable<ConnectionOptions["sasl"]>;
type Authenticator = NonNullable<SaslOptions["authenticate"]>;
type AuthenticateApi = Parameters<Authenticator>[2];
type Done = Parameters<Authenticator>[6];
type Answer = Parameters<Done>[1];

/** Answers a server that has said why it refuses a token, and now wants to fail. */
const GO_ON = Buffer.of(1);

/** What goes on while a connection authenticates. */
export interface SaslPorts {
  /** What to show. */
  readonly proof: () => Proof;
  /** The broker believes it, for so many milliseconds; 0 is for ever. */
  readonly onAccepted: (lifetimeMs: number) => void;
  /** The broker does not. */
  readonly onRefused: () => void;
}

/** Thrown when a broker refuses a token. */
class TokenRefusedError extends Error {
  override readonly name = "TokenRefusedError";
  readonly code = "SASL_AUTHENTICATION_FAILED";
  constructor(readonly serverErrorMessage: string) {
    super("The broker refuses the token");
  }
}

/** The library's options for a mechanism. */
export function saslOptions({ mechanism }: Sasl, ports: SaslPorts): SaslOptions {
  const spoken: SASLMechanismValue = mechanism === "AWS_MSK_IAM" ? "OAUTHBEARER" : mechanism;
  return {
    mechanism: spoken,
    authenticate(_mechanism, connection, api, _username, _password, _token, done) {
      show(ports.proof(), spoken, connection, api, (error, response) => {
        if (error !== null) {
          if (isRefusal(error)) ports.onRefused();
          return done(error);
        }
        ports.onAccepted(Number(response!.sessionLifetimeMs));
        done(null, { ...response!, sessionLifetimeMs: 0n });
      });
    },
  };
}

function show(
  proof: Proof,
  mechanism: SASLMechanismValue,
  connection: Connection,
  api: AuthenticateApi,
  done: Done,
): void {
  if (proof.kind === "token") {
    showToken(proof, connection, api).then((response) => done(null, response), (error) => done(error));
  } else if (mechanism === "PLAIN") {
    saslPlain.authenticate(api, connection, proof.username, proof.password, done);
  } else {
    const algorithm = mechanism === "SCRAM-SHA-512" ? "SHA-512" : "SHA-256";
    const { username, password } = proof;
    saslScramSha.authenticate(
      api,
      connection,
      algorithm,
      username,
      password,
      saslScramSha.defaultCrypto,
      done,
    );
  }
}

async function showToken(
  { token, extensions }: Extract<Proof, { kind: "token" }>,
  connection: Connection,
  api: AuthenticateApi,
): Promise<Answer> {
  const pairs = Object.entries({ auth: `Bearer ${token}`, ...extensions }).map(([name, value]) =>
    `${name}=${value}`
  );
  const response = await api.async(connection, Buffer.from(`n,,\x01${pairs.join("\x01")}\x01\x01`));
  const status = refusedStatus(response.authBytes);
  if (status === undefined) return response;
  // It fails in other words, or in the same, or hangs up.
  const words = await api.async(connection, GO_ON).then(() => status, (error) => wordsIn(error) ?? status);
  throw new TokenRefusedError(words.replaceAll(token, "***"));
}

/** The status in a refusal, which is a JSON object with one; what accepts a token is empty at most brokers. */
function refusedStatus(bytes: Buffer): string | undefined {
  try {
    const { status }: { readonly status?: unknown } = JSON.parse(bytes.toString("utf8"));
    return typeof status === "string" ? status : undefined;
  } catch {
    return undefined;
  }
}

/** What the broker says in an error that the library made of its answer. */
function wordsIn(error: unknown): string | undefined {
  return protocolErrors(error).map(({ serverErrorMessage }) => serverErrorMessage).find((words) =>
    typeof words === "string" && words !== ""
  ) as string | undefined;
}

function isRefusal(error: unknown): boolean {
  return error instanceof TokenRefusedError ||
    protocolErrors(error).some(({ apiId }) => apiId === "SASL_AUTHENTICATION_FAILED");
}

function protocolErrors(error: unknown): Readonly<Record<string, unknown>>[] {
  const { errors } = error as { readonly errors?: unknown };
  return Array.isArray(errors) ? errors : [];
}
