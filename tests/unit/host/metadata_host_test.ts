import assert from "node:assert/strict";
import { parseAddress } from "../../../src/host/address.ts";
import { isMetadataHost } from "../../../src/host/metadata_host.ts";

/** However a configuration writes it. */
function isMetadata(text: string): boolean {
  const address = parseAddress(text);
  assert.ok(address !== null, text);
  return isMetadataHost(address);
}

Deno.test("isMetadataHost() knows link-local addresses and the clouds' metadata services, however they are written", () => {
  const hosts = [
    "169.254.169.254:80",
    "169.254.170.2:80",
    "169.254.0.1:443",
    // Numbers that a URL parser reads as 169.254.169.254.
    "2852039166:80",
    "0xa9fea9fe:80",
    "0251.0376.0251.0376:80",
    "169.254.43518:80",
    "[fe80::1]:80",
    "[febf::1]:80",
    "[fd00:ec2::254]:80",
    "[fd00:ec2::23]:80",
    "[FD00:0EC2:0:0::254]:80",
    "[::ffff:169.254.169.254]:80",
    "[64:ff9b::169.254.169.254]:80",
    "metadata.google.internal:80",
    "Metadata.Google.Internal.:80",
    "metadata:80",
    "instance-data.ec2.internal:80",
    "168.63.129.16:80",
    "100.100.100.200:80",
    "[::ffff:100.100.100.200]:80",
  ];
  assert.deepEqual(hosts.filter((host) => !isMetadata(host)), []);
});

Deno.test("isMetadataHost() takes no other host for one", () => {
  const hosts = [
    "127.0.0.1:80",
    "10.0.0.1:9092",
    "169.253.1.1:80",
    "169.255.1.1:80",
    "168.63.129.160:80",
    "[::1]:80",
    "[fec0::1]:80",
    "[fd00:ec3::254]:80",
    "[::ffff:10.0.0.1]:80",
    "kafka.example.com:9092",
    "169.254.169.254.example.com:80",
    "metadata.example.com:80",
  ];
  assert.deepEqual(hosts.filter(isMetadata), []);
});
