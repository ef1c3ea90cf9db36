/**
 * What is told when a broker does not believe who the relay says it is.
 *
 * @module
 */

import { type Fault, misconfigured } from "@pg-tide/sdk";
import type { Sasl } from "../config/sasl.ts";
import type { Told } from "./tell.ts";

/** The fault of a broker that does not believe who the relay says it is, if that is what was told. */
export function authenticationFault(told: Told, where: string, sasl: Sasl | undefined): Fault | undefined {
  if (sasl === undefined) return undefined;
  const { mechanism } = sasl;
  if (told.codes.includes("UNSUPPORTED_SASL_MECHANISM")) {
    const wanted = mechanism === "AWS_MSK_IAM" ? "OAUTHBEARER, by which AWS_MSK_IAM is sent" : mechanism;
    const offered = told.offered === undefined ? "" : `, but ${told.offered.join(", ") || "none"}`;
    return misconfigured(
      "UNSUPPORTED_SASL_MECHANISM",
      `SASL authentication failed: broker ${where} does not offer ${wanted}${offered}`,
      "Verify that sasl_mechanism matches what the cluster expects, and that the port is the one of a listener that offers it",
    );
  }
  if (told.codes.includes("ILLEGAL_SASL_STATE")) {
    return misconfigured(
      "ILLEGAL_SASL_STATE",
      `SASL authentication failed: the listener of broker ${where} wants no SASL`,
      "Use the port of a listener with SASL (its security protocol is SASL_SSL or SASL_PLAINTEXT), or remove sasl_mechanism",
    );
  }
  if (!isRefused(told)) return undefined;
  const { whom, advice } = refusalOf(sasl);
  const said = told.said === undefined ? "" : `: ${told.said}`;
  return misconfigured(
    "SASL_AUTHENTICATION_FAILED",
    `SASL authentication failed: broker ${where} refused ${whom} with sasl_mechanism "${mechanism}"${said}`,
    advice,
  );
}

/** The library takes a connection that was lost in the middle of SASL for a refusal too. */
function isRefused({ codes }: Told): boolean {
  const refusal = codes.indexOf("PLT_KFK_AUTHENTICATION");
  const isLost = codes.lastIndexOf("PLT_KFK_NETWORK") > refusal;
  return codes.includes("SASL_AUTHENTICATION_FAILED") || (refusal >= 0 && !isLost);
}

/** Whom a broker has refused, and what to look at. */
function refusalOf(sasl: Sasl): { readonly whom: string; readonly advice: string } {
  switch (sasl.mechanism) {
    case "OAUTHBEARER":
      return {
        whom: `the token that ${shownUrl(sasl.tokenUrl)} gave to client "${sasl.clientId}"`,
        advice:
          "Verify that the broker trusts this OAuth server (sasl.oauthbearer.expected.issuer and the keys), and that the " +
          "token is made for the broker (sasl.oauthbearer.expected.audience; sasl_oauth_scope decides it at many servers); for " +
          "Confluent Cloud set logicalCluster and identityPoolId in sasl_oauth_extensions",
      };
    case "AWS_MSK_IAM":
      return {
        whom: `the AWS identity of ${awsIdentity(sasl)} in region ${sasl.region}`,
        advice:
          "Verify that sasl_aws_region is the cluster's, that IAM authentication is on there, that the role or user may " +
          "kafka-cluster:Connect to it, and that the machine's clock is right",
      };
    default:
      return {
        whom: `user "${sasl.username}"`,
        advice:
          "Verify that sasl_mechanism matches what the cluster expects, and that the variables that hold sasl_username and " +
          "sasl_password are set; for Confluent Cloud use the API key (not the cluster ID) as the username",
      };
  }
}

function awsIdentity({ source }: Extract<Sasl, { mechanism: "AWS_MSK_IAM" }>): string {
  switch (source.kind) {
    case "static":
      return `access key ${source.accessKeyId}`;
    case "web_identity":
      return `role ${source.roleArn}`;
    default:
      return `this ${source.kind}`;
  }
}

/** A URL without its parameters, in which a secret could be. */
export function shownUrl(url: string): string {
  return url.split(/[?#]/, 1)[0]!;
}
