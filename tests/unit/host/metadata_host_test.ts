import assert from "node:assert/strict";
import { isMetadataHost } from "../../../src/host/metadata_host.ts";

/** However a configuration writes it. */
const isMetadata = (host: string) => isMetadataHost(new URL(`http://${host}/`).hostname);

Deno.test("isMetadataHost() knows link-local addresses and the clouds' metadata services, however they are written", () => {
  const hosts = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    // Numbers that a URL parser reads as 169.254.169.254.
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[fe80::1]",
    "[febf::1]",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[FD00:0EC2:0:0::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::169.254.169.254]",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "metadata",
    "instance-data.ec2.internal",
    "168.63.129.16",
    "100.100.100.200",
    "[::ffff:100.100.100.200]",
  ];
  assert.deepEqual(hosts.filter((host) => !isMetadata(host)), []);
});

Deno.test("isMetadataHost() takes no other host for one", () => {
  const hosts = [
    "127.0.0.1",
    "10.0.0.1",
    "169.253.1.1",
    "169.255.1.1",
    "168.63.129.160",
    "[::1]",
    "[fec0::1]",
    "[fd00:ec3::254]",
    "[::ffff:10.0.0.1]",
    "kafka.example.com",
    "169.254.169.254.example.com",
    "metadata.example.com",
  ];
  assert.deepEqual(hosts.filter(isMetadata), []);
});
