/**
 * What the operator should know about a configuration that works.
 *
 * @module
 */

import type { Options } from "./config/options.ts";

/** The warning for these options, or undefined. @param racks where the cluster's brokers are */
export function noticeOf(options: Options, racks: ReadonlySet<string>): string | undefined {
  const notices = [...securityNotices(options), ...deliveryNotices(options, racks)];
  return notices.length === 0 ? undefined : notices.join("; ");
}

function* securityNotices({ sasl, tls }: Options): Generator<string> {
  if (tls?.skipVerify === true) {
    yield "tls_insecure_skip_verify is true: no broker's certificate is verified, so whoever is on the way can read and change " +
      "everything";
  }
  if (sasl?.mechanism === "PLAIN" && tls === undefined) {
    yield "sasl_password is sent unencrypted, because tls_enabled is false";
  }
  if (sasl?.mechanism === "OAUTHBEARER" && tls === undefined) {
    yield "tokens are sent unencrypted, because tls_enabled is false: whoever is on the way can use them until they expire";
  }
}

function* deliveryNotices(
  { acks, clientRack, partitioner }: Options,
  racks: ReadonlySet<string>,
): Generator<string> {
  if (acks === 0) {
    yield 'acks is "0": a record counts as delivered once it is sent, and is lost when the broker fails';
  }
  if (partitioner === "random") {
    yield 'partitioner is "random": messages of one key may arrive in another order';
  }
  if (clientRack !== undefined && !racks.has(clientRack)) {
    const known = [...racks].toSorted().map((rack) => `"${rack}"`).join(", ") || "none";
    yield `client_rack is "${clientRack}", where no broker is (broker.rack: ${known})`;
  }
}
