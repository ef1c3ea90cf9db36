/**
 * Hosts with ports, as users write them and as a permission names them.
 *
 * @module
 */

const ADDRESS_REGEXP = /^(\[[0-9A-Fa-f:.]+\]|[^\s[\]/@:?#%\\]+):([0-9]{1,5})$/;
const HOST_REGEXP = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])$/;
const SCHEME_REGEXP = /^([a-z][a-z0-9+.-]*):\/\//i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/**
 * An address in the form that permissions compare: `host:port`, the host in lower case and ASCII.
 *
 * @returns `null` when the text is no `host:port`
 */
export function parseAddress(text: string): string | null {
  const match = ADDRESS_REGEXP.exec(text.trim());
  if (match === null) return null;
  const port = Number(match[2]);
  const host = asciiHost(match[1]!);
  return host === null || port < 1 || port > 65_535 ? null : `${host}:${port}`;
}

/**
 * The addresses in a field's value: a comma-separated list of `host:port`, or of URLs.
 *
 * @returns `null` when one of them is neither
 */
export function parseAddresses(text: string): string[] | null {
  const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  const addresses = parts.map((part) => SCHEME_REGEXP.test(part) ? addressOfUrl(part) : parseAddress(part));
  return addresses.includes(null) ? null : addresses.filter((address) => address !== null);
}

/** A text for an error message, without the user and password that a URL may hold. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/\/\/[^/@\s,]*@/g, "//***@");
}

function addressOfUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const port = url.port || DEFAULT_PORTS[url.protocol];
  return url.hostname === "" || port === undefined ? null : parseAddress(`${url.hostname}:${port}`);
}

/**
 * The host as a URL parser writes it: this is what the runtime's permission check compares with. A `*` or another sign that
 * a permission could understand as more than one host is no host.
 */
function asciiHost(host: string): string | null {
  const url = `http://${host}/`;
  const parsed = URL.canParse(url) ? new URL(url).hostname : "";
  return HOST_REGEXP.test(parsed) ? parsed : null;
}
