/**
 * TLS as the library, and Deno's TLS below it, takes it.
 *
 * @module
 */

import type { ConnectionOptions } from "@platformatic/kafka";
import type { Tls } from "../config/tls.ts";

/** The options of a connection that talks TLS. The name that is asked for and verified is the host that is connected to. */
export function tlsOptions({ ca, client, skipVerify }: Tls): NonNullable<ConnectionOptions["tls"]> {
  return {
    minVersion: "TLSv1.2",
    rejectUnauthorized: !skipVerify,
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
  };
}
