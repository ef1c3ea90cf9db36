/**
 * The values that a message gives to the variables of a template.
 *
 * @module
 */

import { type Op, OPS, textAt } from "@pg-tide/sdk";
import { messageOf } from "../base/errors.ts";
import { type ExactJson, ExactNumber, parseExact } from "../base/exact_json.ts";
import type { Page } from "../record/page.ts";
import type { Template, VariablePart } from "./template.ts";

/** A message cannot be routed; it is rejected alone. */
export class RouteError extends Error {
  override readonly name = "RouteError";
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** One message at a time of a page: what was decoded for one template serves the next. */
export class MessageVariables {
  readonly #page: Page;
  readonly #outbox: string;
  #row = -1;
  #payload: ExactJson | undefined;
  #headers: ReadonlyMap<string, string> | null | undefined;

  constructor(page: Page, outbox: string) {
    this.#page = page;
    this.#outbox = outbox;
  }

  /** Go to a row. */
  seek(row: number): void {
    this.#row = row;
    this.#payload = undefined;
    this.#headers = undefined;
  }

  /**
   * A template's text for this message.
   *
   * @param field the configuration field, for the error
   * @throws {RouteError} when the message lacks a value
   */
  render(field: string, template: Template): string {
    let text = "";
    for (const part of template.parts) {
      text += part.kind === "text" ? part.text : this.#value(field, part);
    }
    return text;
  }

  /**
   * The message's own headers, or null when it has none.
   *
   * @throws {RouteError} when they are not an object of strings
   */
  headers(): ReadonlyMap<string, string> | null {
    if (this.#headers === undefined) this.#headers = parseHeaders(textAt(this.#page.headers, this.#row));
    return this.#headers;
  }

  #value(field: string, part: VariablePart): string {
    const value = this.#lookup(part) ?? part.fallback;
    if (value !== null) return value;
    const variable = [part.variable, ...part.path].join(".");
    throw new RouteError(
      "TEMPLATE_VALUE_MISSING",
      `Cannot render ${field}: the message has no value for {${variable}}, expected one, or a default: {${variable}|…}`,
    );
  }

  #lookup({ variable, path }: VariablePart): string | null {
    switch (variable) {
      case "stream_table":
      case "outbox":
        return this.#outbox;
      case "op":
        return this.#op();
      case "outbox_id":
        return String(this.#page.ids[this.#row]);
      case "dedup_key":
        return textAt(this.#page.dedupKey, this.#row);
      case "event_type":
        return this.headers()?.get("event_type") ?? scalarText(step(this.#json(), "event_type"), variable);
      case "header":
        return this.headers()?.get(path[0]!) ?? null;
      case "payload":
        return scalarText(path.reduce(step, this.#json()), `payload.${path.join(".")}`);
    }
  }

  #op(): Op {
    return OPS[this.#page.ops[this.#row]!]!;
  }

  #json(): ExactJson {
    if (this.#payload === undefined) {
      try {
        this.#payload = parseExact(textAt(this.#page.payload, this.#row) ?? "null");
      } catch (error) {
        throw new RouteError("PAYLOAD_INVALID", `Cannot read the payload as JSON: ${messageOf(error)}`);
      }
    }
    return this.#payload;
  }
}

/** One step of a path: a member of an object, or an item of a list by its index. */
function step(value: ExactJson, name: string): ExactJson {
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return null;
  if (Array.isArray(value)) return /^\d+$/.test(name) ? value[Number(name)] ?? null : null;
  return Object.hasOwn(value, name) ? value[name]! : null;
}

/** A value as a template shows it: numbers digit for digit. */
function scalarText(value: ExactJson, variable: string): string | null {
  if (value === null) return null;
  if (value instanceof ExactNumber) return value.source;
  if (typeof value !== "object") return String(value);
  throw new RouteError(
    "TEMPLATE_VALUE_INVALID",
    `Cannot render {${variable}}: it is ${
      Array.isArray(value) ? "a list" : "an object"
    }, expected a text, number or boolean`,
  );
}

function parseHeaders(text: string | null): ReadonlyMap<string, string> | null {
  if (text === null) return null;
  const parsed = parseObject(text);
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value !== "string") throw invalidHeaders(`"${name}" is not a string`);
    headers.set(name, value);
  }
  return headers.size === 0 ? null : headers;
}

function parseObject(text: string): object {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // Reported below like every other text that is not an object.
  }
  throw invalidHeaders("they are not an object");
}

function invalidHeaders(what: string): RouteError {
  return new RouteError(
    "HEADERS_INVALID",
    `Cannot read the message's headers: ${what}, expected an object of strings`,
  );
}
