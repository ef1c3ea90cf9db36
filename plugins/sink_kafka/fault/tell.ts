/**
 * What an error says, with all that caused it. Libraries wrap errors several times.
 *
 * @module
 */

/** What one error and its causes say, in the words and codes of whoever raised them. */
export interface Told {
  readonly codes: readonly string[];
  readonly text: string;
  /** What the broker says in its own words. */
  readonly said?: string;
  /** The SASL mechanisms that the broker offers, where it tells them with a refusal. */
  readonly offered?: readonly string[];
}

/** What an error and its causes say. */
export function tell(error: unknown): Told {
  const codes: string[] = [];
  const texts: string[] = [];
  let said: string | undefined;
  let offered: readonly string[] | undefined;
  const seen = new Set<unknown>();
  let open: unknown[] = [error];
  // Causes are few; the bound only keeps a cycle of aggregates from going on for ever.
  while (open.length > 0 && seen.size < 32) {
    const current = open.shift();
    if (typeof current !== "object" || current === null || seen.has(current)) continue;
    seen.add(current);
    const { name, code, apiId, message, cause, errors, response, serverErrorMessage } = current as Record<
      string,
      unknown
    >;
    for (const word of [name, code, apiId]) if (typeof word === "string") codes.push(word);
    if (typeof message === "string" && message !== "") texts.push(message.replace(/\.$/, ""));
    if (typeof serverErrorMessage === "string" && serverErrorMessage !== "") said ??= serverErrorMessage;
    offered ??= mechanismsIn(response);
    open = [...open, cause, ...(Array.isArray(errors) ? errors : [])];
  }
  return {
    codes,
    text: [...new Set(texts)].join(": ") || String(error),
    ...(said === undefined ? {} : { said }),
    ...(offered === undefined ? {} : { offered }),
  };
}

/** The mechanisms in the answer to a SaslHandshake request. */
function mechanismsIn(response: unknown): readonly string[] | undefined {
  const { mechanisms } = (response ?? {}) as { mechanisms?: unknown };
  return Array.isArray(mechanisms) ? mechanisms.map(String) : undefined;
}
