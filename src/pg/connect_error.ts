/**
 * What a failure to connect means to a user.
 *
 * @module
 */

import { EXIT, messageOf, UserError } from "../base/errors.ts";

/** How a known failure is told. `%` in `what` stands for the target. */
interface Explanation {
  readonly code: string;
  readonly what: string;
  readonly advice: string;
  readonly exitCode: typeof EXIT.unreachable | typeof EXIT.usage;
}

const REFUSED: Explanation = {
  code: "POSTGRES_UNREACHABLE",
  what: "the connection was refused",
  advice: "Check host and port, and that the server runs and listens there.",
  exitCode: EXIT.unreachable,
};

const NO_ANSWER: Explanation = {
  code: "POSTGRES_UNREACHABLE",
  what: "there is no answer",
  advice: "Check host and port, firewalls, and that the server runs.",
  exitCode: EXIT.unreachable,
};

const UNKNOWN_HOST: Explanation = {
  code: "POSTGRES_UNREACHABLE",
  what: "the host name is not known",
  advice: "Check the host in the URL, and that its name can be resolved on this machine.",
  exitCode: EXIT.unreachable,
};

const NOT_READY: Explanation = {
  code: "POSTGRES_UNREACHABLE",
  what: "the server takes no connections now",
  advice: "Try again when it has started, or when it has connections free.",
  exitCode: EXIT.unreachable,
};

const NO_SOCKET: Explanation = {
  ...REFUSED,
  what: "there is no socket",
  advice: "Check the folder of the socket in the URL.",
};

const LOGIN: Explanation = {
  code: "POSTGRES_LOGIN_FAILED",
  what: "the server refused the login",
  advice: "Check user and password in the URL, and the server's pg_hba.conf.",
  exitCode: EXIT.usage,
};

const NO_TLS: Explanation = {
  code: "POSTGRES_TLS_FAILED",
  what: "no encrypted connection could be made",
  advice:
    "Check sslmode in the URL, and that the server has TLS switched on. With verify-full its certificate must be " +
    "trusted on this machine.",
  exitCode: EXIT.usage,
};

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: REFUSED,
  ECONNRESET: NO_ANSWER,
  EHOSTUNREACH: NO_ANSWER,
  ENETUNREACH: NO_ANSWER,
  ETIMEDOUT: NO_ANSWER,
  CONNECT_TIMEOUT: NO_ANSWER,
  CONNECTION_CLOSED: NO_ANSWER,
  CONNECTION_DESTROYED: NO_ANSWER,
  CONNECTION_ENDED: NO_ANSWER,
  ENOENT: NO_SOCKET,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  EAI_NONAME: UNKNOWN_HOST,
  "53300": NOT_READY,
  "57P03": NOT_READY,
  "28000": LOGIN,
  "28P01": LOGIN,
  "3D000": {
    code: "POSTGRES_NO_DATABASE",
    what: "the database does not exist",
    advice: "Check the database's name in the URL, or create it.",
    exitCode: EXIT.usage,
  },
  "42501": {
    code: "POSTGRES_NO_RIGHTS",
    what: "the role has no rights on pg-tide's schema",
    advice: "Have an administrator run SELECT tide.grant_relay('role') for the role in the URL.",
    exitCode: EXIT.usage,
  },
  TLS_REFUSED: NO_TLS,
  DEPTH_ZERO_SELF_SIGNED_CERT: NO_TLS,
  SELF_SIGNED_CERT_IN_CHAIN: NO_TLS,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NO_TLS,
  ERR_TLS_CERT_ALTNAME_INVALID: NO_TLS,
  CERT_HAS_EXPIRED: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
};

/**
 * The error to show instead of `error`, which the driver threw while connecting to `target`.
 *
 * The driver's own text is repeated only when the server wrote it: the server never repeats a password.
 */
export function connectError(error: unknown, target: string): UserError {
  if (error instanceof UserError) return error;
  const code = errorCode(error);
  // A server that has no TLS hangs up on it, for which the system's code is that of any hang-up.
  const known = messageOf(error).includes("before secure TLS connection") ? NO_TLS : EXPLANATIONS[code];
  const fromServer = isServerCode(code) ? `: ${messageOf(error)}` : "";
  if (known === undefined) {
    return new UserError(
      `Cannot connect to PostgreSQL at ${target}${fromServer || `: ${code || "unknown failure"}`}`,
      {
        code: "POSTGRES_CONNECT_FAILED",
        advice: "Check the URL, and the server's log.",
        exitCode: fromServer === "" ? EXIT.unreachable : EXIT.usage,
        cause: error,
      },
    );
  }
  return new UserError(
    `Cannot connect to PostgreSQL at ${target}: ${known.what}${fromServer && ` (${messageOf(error)})`}`,
    {
      ...known,
      cause: error,
    },
  );
}

/** Why no connection was had, in a few words; what the server or the system says when there are none. */
export function connectFailure(error: unknown): string {
  const code = errorCode(error);
  return isServerCode(code) ? messageOf(error) : EXPLANATIONS[code]?.what ?? messageOf(error);
}

/** Whether a code is a SQLSTATE. EPIPE and its like are the system's. */
export function isServerCode(code: string): boolean {
  return /^(?!E)[0-9A-Z]{5}$/.test(code);
}

/** The code of a driver's or server's error; empty when it has none. */
export function errorCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0]);
  if (typeof error === "object" && error !== null && "code" in error) return String(error.code);
  return "";
}

/** The hint that the server gives with an error; empty when it gives none. */
export function hintOf(error: unknown): string {
  return typeof error === "object" && error !== null && "hint" in error ? String(error.hint) : "";
}
