/**
 * What is told when TLS fails: who does not trust whom, and what to do.
 *
 * @module
 */

import { type Fault, misconfigured } from "@pg-tide/sdk";
import type { ClientCertificate } from "../config/certificate.ts";
import type { Tls } from "../config/tls.ts";
import type { Told } from "./tell.ts";
import { isUntrusted } from "./untrusted.ts";

/** Alerts by which a broker refuses a client for its certificate, or for having none. */
const CLIENT_REFUSED = new Set([
  "AccessDenied",
  "BadCertificate",
  "CertificateExpired",
  "CertificateRequired",
  "CertificateRevoked",
  "CertificateUnknown",
  "UnknownCA",
  "UnsupportedCertificate",
]);

/** The fault of a broker with which TLS does not work, if that is what was told. @param nowMs since 1970 */
export function tlsFault(told: Told, where: string, tls: Tls | undefined, nowMs: number): Fault | undefined {
  if (/requires TLS/i.test(told.text)) {
    return misconfigured(
      "TLS_REQUIRED",
      `Cannot talk to Kafka broker ${where}: it answers with TLS`,
      "Set tls_enabled to true",
    );
  }
  if (tls === undefined) return undefined;
  if (isUntrusted(told)) return untrusted(told, where, tls);
  const alertName = /received fatal alert: (\w+)/.exec(told.text)?.[1];
  if (alertName !== undefined && CLIENT_REFUSED.has(alertName)) {
    return tls.client === undefined
      ? clientWanted(where)
      : clientRefused(where, alertName, tls.client, nowMs);
  }
  if (alertName === "ProtocolVersion" || /DoesNotSupportTls12|SelectedUnofferedVersion/.test(told.text)) {
    return misconfigured(
      "TLS_VERSION",
      `Cannot talk TLS to Kafka broker ${where}: it offers no TLS 1.2 or newer`,
      "Allow TLS 1.2 or 1.3 at the broker (ssl.enabled.protocols); older versions are not safe",
    );
  }
  if (alertName === "HandshakeFailure") {
    const client = tls.client === undefined ? ", or wants a client certificate (tls_client_cert)" : "";
    return misconfigured(
      "TLS_HANDSHAKE",
      `Cannot talk TLS to Kafka broker ${where}: it refuses what is offered (handshake_failure)`,
      `The broker has no cipher suite in common with the relay (ssl.cipher.suites)${client}; its log says which`,
    );
  }
  if (/received corrupt message/i.test(told.text)) {
    return misconfigured(
      "TLS_NOT_OFFERED",
      `Cannot talk TLS to Kafka broker ${where}: ${told.text}`,
      "Use the port of the broker's TLS listener, or set tls_enabled to false",
    );
  }
  return undefined;
}

function untrusted(told: Told, where: string, tls: Tls): Fault {
  const reason = `Cannot trust Kafka broker ${where}: ${told.text}`;
  if (told.codes.includes("ERR_TLS_CERT_ALTNAME_INVALID")) {
    return misconfigured(
      "TLS_CERTIFICATE",
      reason,
      "Use a name in brokers that the certificate is made for; where the cluster advertises the address (advertised.listeners), " +
        "correct that, or have a certificate made for it",
    );
  }
  return misconfigured(
    "TLS_CERTIFICATE",
    reason,
    tls.ca === undefined
      ? "Set tls_ca_cert to the authority that signed the broker's certificate. It must not have expired either"
      : "Verify that tls_ca_cert is the authority that signed the broker's certificate, that the broker sends the certificates of those " +
        "between, and that its certificate has not expired",
  );
}

function clientWanted(where: string): Fault {
  return misconfigured(
    "TLS_CLIENT_CERTIFICATE",
    `Cannot talk TLS to Kafka broker ${where}: it wants a client certificate`,
    "Set tls_client_cert and tls_client_key, or use the port of a listener that wants none",
  );
}

function clientRefused(
  where: string,
  alertName: string,
  { subject, validMs: [fromMs, toMs] }: ClientCertificate,
  nowMs: number,
): Fault {
  const reason = `Kafka broker ${where} refuses the client certificate "${subject}"`;
  if (nowMs > toMs || nowMs < fromMs) {
    const when = nowMs > toMs ? `it expired on ${dateOf(toMs)}` : `it is not good before ${dateOf(fromMs)}`;
    return misconfigured(
      "TLS_CLIENT_CERTIFICATE",
      `${reason}: ${when}`,
      "Set tls_client_cert to a certificate that is good now; a file that changes is read again by itself",
    );
  }
  return misconfigured(
    "TLS_CLIENT_CERTIFICATE",
    `${reason}: ${alertName}`,
    "Verify that tls_client_cert was signed by an authority that the brokers trust (ssl.truststore.location), is followed by the " +
      "certificates of intermediate authorities, and has not been revoked",
  );
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19) + "Z";
}
