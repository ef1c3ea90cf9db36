/**
 * What a PostgreSQL URL says, as options of the driver.
 *
 * @module
 */

import { EXIT, UserError } from "../base/errors.ts";

/** Where to connect, and as whom. What is absent is left to the driver, which looks at `PGUSER`, `PGPASSWORD`, … */
export interface ConnectionTarget {
  /** A host name, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly ssl: false | "prefer" | "require" | "verify-full";
}

const SSL_MODES: Readonly<Record<string, ConnectionTarget["ssl"]>> = {
  disable: false,
  allow: "prefer",
  prefer: "prefer",
  require: "require",
  "verify-ca": "verify-full",
  "verify-full": "verify-full",
};

/**
 * Read `postgresql://user:password@host:port/database?sslmode=…`. A `host` parameter that starts with `/` is the folder of a
 * Unix socket.
 *
 * @throws {UserError} when it is not such a URL; the message never repeats the URL, which may hold a password
 */
export function parseConnectionUrl(text: string): ConnectionTarget {
  // A URL without a host before its path is usual for sockets, and not one for the parser.
  const url = parseUrl(text.replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)(?=[/?#]|$)/, "$1localhost"));
  const host = url.searchParams.get("host") ?? bareHost(url.hostname);
  const mode = url.searchParams.get("sslmode") ?? "prefer";
  const ssl = SSL_MODES[mode];
  if (ssl === undefined) {
    throw invalid(`sslmode is "${mode}", expected one of ${Object.keys(SSL_MODES).join(", ")}`);
  }
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    host,
    port: Number(url.searchParams.get("port") ?? (url.port || 5432)),
    ...(database !== "" && { database }),
    ...(url.username !== "" && { user: decodeURIComponent(url.username) }),
    ...(url.password !== "" && { password: decodeURIComponent(url.password) }),
    // A socket never leaves the machine.
    ssl: host.startsWith("/") ? false : ssl,
  };
}

/** Where it goes, for an error message: without user and password. */
export function describeTarget({ host, port, database }: ConnectionTarget): string {
  return `${host}:${port}${database === undefined ? "" : `/${database}`}`;
}

function parseUrl(text: string): URL {
  if (!/^postgres(ql)?:\/\//.test(text)) throw invalid("it does not start with postgresql://");
  try {
    const url = new URL(text);
    decodeURIComponent(url.username + url.password + url.pathname);
    return url;
  } catch {
    throw invalid(
      "it is not a URL; characters such as @ : / # % in a password are written %40 %3A %2F %23 %25",
    );
  }
}

function bareHost(hostname: string): string {
  const host = decodeURIComponent(hostname).replace(/^\[|\]$/g, "");
  return host === "" ? "localhost" : host;
}

function invalid(what: string): UserError {
  return new UserError(`Cannot read the PostgreSQL URL: ${what}`, {
    code: "POSTGRES_URL_INVALID",
    advice:
      "Write postgresql://user:password@host:5432/database, and sslmode=require behind a ? where TLS is needed.",
    exitCode: EXIT.usage,
  });
}
