/**
 * Hosts that tell whoever asks from this machine who the machine is: the metadata services of clouds.
 *
 * @module
 */

/** Names that clouds resolve to their metadata services. */
const NAMES: ReadonlySet<string> = new Set([
  "instance-data",
  "instance-data.ec2.internal",
  "metadata",
  "metadata.goog",
  "metadata.google.internal",
  "metadata.tencentyun.com",
]);

/** Those that are not link-local: Azure's agent, Alibaba Cloud, Oracle Cloud, and Amazon's in IPv6. */
const NUMBERS_REGEXP = /^(168\.63\.129\.16|100\.100\.100\.200|192\.0\.0\.192|fd00:ec2:[0-9a-f:]*)$/;

/** 169.254.0.0/16 and fe80::/10. */
const LINK_LOCAL_REGEXP = /^(169\.254\.[0-9.]+|fe[89ab][0-9a-f]:[0-9a-f:]*)$/;

/** An IPv4 address in an IPv6 one, mapped (RFC 4291) or translated (RFC 6052), as a URL parser writes it. */
const EMBEDDED_REGEXP = /^(?:::ffff:|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * Whether a host is link-local or known to be a metadata service.
 *
 * Such a host hands out credentials to anybody on its machine, by plain HTTP. A name that leads to one is not seen here; the
 * built-in plugins speak HTTP to names by TLS only, which metadata services do not speak.
 *
 * @param host a name or an address, as a URL's `hostname` has it
 */
export function isMetadataHost(host: string): boolean {
  const written = host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
  const [, high, low] = EMBEDDED_REGEXP.exec(written) ?? [];
  const plain = high === undefined || low === undefined
    ? written
    : [high, low].map((group) => parseInt(group, 16)).map((group) => `${group >> 8}.${group & 0xff}`).join(
      ".",
    );
  return NAMES.has(plain) || NUMBERS_REGEXP.test(plain) || LINK_LOCAL_REGEXP.test(plain);
}
