/**
 * The guard: every message from a Worker is read here before anybody uses it.
 *
 * What comes out is a copy made of known members only, checked for shape, size and consistency. What does not pass is a
 * {@link GuardError}, and the Worker that sent it is terminated: a plugin that breaks the contract once cannot be trusted
 * with the next page.
 *
 * @module
 */

import {
  cleanText,
  member,
  type Members,
  readInteger,
  readObject,
  readOneOf,
  readText,
} from "./guard_value.ts";

export { readAnswer, readFault, readHosts, readOpened, readProgress } from "./guard_answer.ts";
export { readDescription } from "./guard_description.ts";
export { readEncoded, type SentMessages } from "./guard_page.ts";
export { cleanText, GuardError } from "./guard_value.ts";

/** What replies are called. */
const REPLIES = [
  "discovered",
  "opened",
  "reconfigured",
  "answer",
  "encoded",
  "fault",
  "pong",
  "closed",
] as const;

/** The name of a reply. */
export type ReplyName = typeof REPLIES[number];

/** A message whose kind is known, and whose content is still to be read. */
export type Envelope =
  | { readonly t: "hello"; readonly description: unknown }
  | { readonly t: "failed"; readonly text: string }
  | { readonly t: "log"; readonly level: "debug" | "info" | "warn" | "error"; readonly text: string }
  | { readonly t: "progress"; readonly n: number; readonly delivered: unknown }
  | { readonly t: "reply"; readonly name: ReplyName; readonly n: number; readonly content: Members };

/**
 * Read what kind of message it is.
 *
 * @throws {GuardError} when it is none
 */
export function readEnvelope(data: unknown): Envelope {
  const content = readObject(data, "message");
  const t = readOneOf(member(content, "t"), "message.t", ["hello", "failed", "log", "progress", ...REPLIES]);
  switch (t) {
    case "hello":
      return { t, description: member(content, "description") };
    case "failed": {
      const text = member(content, "text");
      return { t, text: typeof text === "string" ? cleanText(text) : "" };
    }
    case "log": {
      const level = readOneOf(member(content, "level"), "log.level", ["debug", "info", "warn", "error"]);
      return { t, level, text: readText(member(content, "text"), "log.text") };
    }
    case "progress":
      return { t, n: readNumberOf(content), delivered: member(content, "delivered") };
    default: {
      const n = readNumberOf(content);
      return { t: "reply", name: t, n, content };
    }
  }
}

/** The number of the request that a message belongs to. */
function readNumberOf(content: Members): number {
  return readInteger(member(content, "n"), "message.n", 0, Number.MAX_SAFE_INTEGER);
}
