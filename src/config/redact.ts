/**
 * Keeping secrets out of texts: logs, errors, `status`.
 *
 * @module
 */

/** What stands in place of a secret. */
export const REDACTED = "***";

/** A function that replaces secrets in any text. */
export type Redact = (text: string) => string;

// Everything between the first colon behind "//" and the last "@" of the same word: passwords with "/" or "@" in them, which
// ought to be encoded, must not show either.
const USERINFO_REGEXP = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/"'`<>]*):[^\s"'`<>]*@/gi;
const PARAMETER_REGEXP =
  /\b(password|passwd|pwd|passfile|sslpassword|secret|token|api[_-]?key)=[^\s&"'`<>]+/gi;

/** Replace passwords in URLs (`postgresql://user:***@host`) and in `password=…` parameters. */
export function redactUrls(text: string): string {
  // Most texts hold neither.
  if (!text.includes("://") && !text.includes("=")) return text;
  return text.replace(USERINFO_REGEXP, `$1:${REDACTED}@`).replace(PARAMETER_REGEXP, `$1=${REDACTED}`);
}

/**
 * A function that replaces these secrets, also where they stand URL-encoded or escaped in JSON, and passwords in URLs.
 *
 * A secret of one to three characters is replaced only where it stands alone: anything else would make every text
 * unreadable, and hide nothing.
 */
export function redactor(secrets: Iterable<string>): Redact {
  const all = new Set([...secrets].filter((secret) => secret !== "").flatMap(spellingsOf));
  // The longest first, so that one secret which begins another does not leave its rest behind.
  const spellings = [...all].sort((a, b) => b.length - a.length);
  if (spellings.length === 0) return redactUrls;
  const long = spellings.filter(isLong);
  const short = spellings.filter((spelling) => !isLong(spelling)).map(patternOf);
  const regexp = short.length === 0 ? null : new RegExp(short.join("|"), "gu");
  return (text) => {
    const rest = long.reduce((whole, spelling) => whole.replaceAll(spelling, REDACTED), text);
    return redactUrls(regexp === null ? rest : rest.replace(regexp, REDACTED));
  };
}

/** A private key, for which an expression would become too large when there are many. */
const isLong = (spelling: string) => spelling.length > 256;

/** As it is, and as it becomes when a file's line end or a line break within is not taken along. */
function spellingsOf(secret: string): string[] {
  const forms = new Set([secret, secret.trim(), secret.replaceAll(/[\s\p{C}]+/gu, " ").trim()]);
  return [...forms].flatMap(encodingsOf).filter((spelling) => spelling !== "");
}

function encodingsOf(text: string): string[] {
  // A text that is not well-formed cannot be encoded for a URL.
  const wellFormed = text.toWellFormed();
  const inForm = new URLSearchParams({ "": wellFormed }).toString().slice(1);
  const inJson = JSON.stringify(text).slice(1, -1);
  return [
    text,
    encodeURIComponent(wellFormed),
    encodeURI(wellFormed),
    inForm,
    inJson,
    // JSON in a text of JSON.
    JSON.stringify(inJson).slice(1, -1),
    ...base64Of(wellFormed),
    // A client of OAuth shows its secret so.
    ...base64Of(inForm),
  ];
}

/** A shorter text is met by chance. */
const BASE64_LEAST = 6;

/** The letters that a text gives in base64 wherever it stands; those at its ends depend on what stands beside it. */
function base64Of(text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length < BASE64_LEAST) return [];
  return [0, 1, 2].flatMap((before) => {
    const shifted = new Uint8Array(before + bytes.length);
    shifted.set(bytes, before);
    const letters = shifted.toBase64({ omitPadding: true });
    const own = letters.slice(Math.ceil(before * 8 / 6), Math.floor(shifted.length * 8 / 6));
    return [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

function patternOf(secret: string): string {
  const escaped = secret.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return secret.length > 3 ? escaped : `(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`;
}
