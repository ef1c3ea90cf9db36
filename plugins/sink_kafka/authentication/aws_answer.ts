/**
 * AWS credentials as services hand them out. Pure.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { AwsCredentials } from "./msk_token.ts";

/** How long credentials are taken to be good that do not say so, in milliseconds. */
const LIFE_UNKNOWN_MS = 900_000;

/** The credentials in the JSON text of a container's or an instance's service; undefined when it is none. */
export function credentialsInJson(text: string, clock: Clock): AwsCredentials | undefined {
  let members: unknown;
  try {
    members = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof members !== "object" || members === null) return undefined;
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = members as Readonly<Record<string, unknown>>;
  return credentialsOf([AccessKeyId, SecretAccessKey, Token, Expiration], clock);
}

/** The credentials in the XML text of the Security Token Service; undefined when it is none. */
export function credentialsInXml(text: string, clock: Clock): AwsCredentials | undefined {
  const names = ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];
  return credentialsOf(names.map((name) => elementIn(text, name)), clock);
}

/** The text of the first element of a name; credentials, codes and messages hold no markup. */
export function elementIn(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(xml)?.[1];
}

function credentialsOf(
  [accessKeyId, secretAccessKey, sessionToken, expiration]: readonly unknown[],
  clock: Clock,
): AwsCredentials | undefined {
  if (!isText(accessKeyId) || !isText(secretAccessKey)) return undefined;
  const leftMs = isText(expiration) ? Date.parse(expiration) - clock.wallMs() : NaN;
  return {
    accessKeyId,
    secretAccessKey,
    ...(isText(sessionToken) ? { sessionToken } : {}),
    expiresAtMs: clock.monotonicMs() + (Number.isNaN(leftMs) ? LIFE_UNKNOWN_MS : leftMs),
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
