import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAddress, parseAddresses, withoutCredentials } from "../../../src/host/address.ts";

Deno.test("parseAddress() gives host and port as permissions compare them", () => {
  assert.equal(parseAddress("Kafka-1.Example.COM:9092"), "kafka-1.example.com:9092");
  assert.equal(parseAddress(" broker_1:1 "), "broker_1:1");
  assert.equal(parseAddress("[::1]:9092"), "[::1]:9092");
  assert.equal(parseAddress("[2001:DB8::0:1]:65535"), "[2001:db8::1]:65535");
  assert.equal(parseAddress("bücher.example:80"), "xn--bcher-kva.example:80");
});

Deno.test("parseAddress() refuses what is no host:port", () => {
  const bad = [
    "",
    "host",
    ":80",
    "host:",
    "host:0",
    "host:65536",
    "host:http",
    "a b:1",
    "::1:80",
    "host:80/x",
    "u@h:1",
  ];
  for (
    const text of [
      ...bad,
      "[::1]",
      "[x]:1",
      "host:-1",
      "h:1,h:2",
      "http://h:1",
      "h%00:1",
      "*:80",
      "*.example.com:80",
    ]
  ) {
    assert.equal(parseAddress(text), null, text);
  }
});

Deno.test("parseAddresses() takes lists and URLs", () => {
  assert.deepEqual(parseAddresses("a:1, b:2 ,c:3"), ["a:1", "b:2", "c:3"]);
  assert.deepEqual(parseAddresses("https://registry.example/api?x=a:1"), ["registry.example:443"]);
  assert.deepEqual(parseAddresses("http://a,http://b:8081/"), ["a:80", "b:8081"]);
  assert.deepEqual(parseAddresses("https://user:pass@h/"), ["h:443"]);
  assert.deepEqual(parseAddresses(""), []);
});

Deno.test("parseAddresses() refuses a list with one bad entry", () => {
  for (const text of ["a:1,b", "kafka://a", "http://", "a:1;b:2", "file:///etc/passwd"]) {
    assert.equal(parseAddresses(text), null, text);
  }
});

Deno.test("parseAddress() is stable: what it gives, it takes", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webAuthority(), fc.domain().map((d) => `${d}:1`)), (text) => {
      const address = parseAddress(text);
      if (address !== null) assert.equal(parseAddress(address), address);
    }),
  );
});

Deno.test("withoutCredentials() hides user and password of a URL", () => {
  assert.equal(withoutCredentials("https://u:p@h/x, http://v@i"), "https://***@h/x, http://***@i");
});
