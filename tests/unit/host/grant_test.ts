import assert from "node:assert/strict";
import type { PermissionRequest, PluginDescription } from "../../../plugins/sdk/mod.ts";
import { UserError } from "../../../src/base/errors.ts";
import { computeGrant, covers, type GrantRequest, noGrant } from "../../../src/host/grant.ts";

function request(permissions: PermissionRequest, more: Partial<GrantRequest> = {}): GrantRequest {
  const field = (name: string, secret: boolean) => ({ name, type: "string", doc: "", secret }) as const;
  const description: PluginDescription = {
    ...{ name: "mine", kind: "sink", contract: 1, summary: "" },
    fields: [field("brokers", false), field("url", false), field("dsn", true)],
    permissions,
  };
  const rest = { origin: "first_party", fields: {}, discovered: [], operatorNet: [] } as const;
  return { description, ...rest, resolveAsset: (name) => `/assets/${name}`, ...more };
}

function problemOf(given: GrantRequest): string {
  try {
    computeGrant(given);
  } catch (error) {
    assert.ok(error instanceof UserError);
    assert.equal(error.code, "PLUGIN_GRANT");
    return error.message;
  }
  assert.fail("granted");
}

const KEYS = ["env", "ffi", "import", "net", "read", "run", "sys", "write"];

Deno.test("noGrant() states every key, and has no prototype", () => {
  const grant = noGrant();
  assert.equal(Object.getPrototypeOf(grant), null);
  assert.deepEqual(Object.keys(grant).sort(), KEYS);
  assert.ok(Object.values(grant).every((value) => value === false));
});

Deno.test("computeGrant() fills templates in and grants nothing else", () => {
  const fields = { brokers: "a:1, B:2", url: "https://registry.example/x" };
  const grant = computeGrant(request({ net: ["{brokers}", "{url}"], assets: ["x.wasm"] }, { fields }));
  assert.equal(Object.getPrototypeOf(grant), null);
  assert.deepEqual(Object.keys(grant).sort(), KEYS);
  assert.deepEqual({ ...grant }, {
    ...noGrant(),
    net: ["a:1", "b:2", "registry.example:443"],
    read: ["/assets/x.wasm"],
  });
});

Deno.test("computeGrant() leaves out fields that are not set", () => {
  assert.equal(computeGrant(request({ net: ["{brokers}"] })).net, false);
  assert.equal(computeGrant(request({ net: ["{brokers}"] }, { fields: { brokers: null } })).net, false);
});

Deno.test("computeGrant() ignores what stands in Object.prototype", () => {
  const prototype = Object.prototype as Record<string, unknown>;
  try {
    prototype["read"] = true;
    const grant = computeGrant(request({}));
    assert.equal(grant.read, false);
    assert.ok(!("toString" in grant));
  } finally {
    delete prototype["read"];
  }
});

Deno.test("computeGrant() names the field and its value, but no secret", () => {
  const fields = { brokers: "no port", url: "ftp://u:p@h", dsn: "top secret" };
  const message = problemOf(request({ net: ["{brokers}", "{url}", "{dsn}"] }, { fields }));
  assert.match(message, /brokers is "no port"/);
  assert.match(message, /url is "ftp:\/\/\*\*\*@h"/);
  assert.match(message, /dsn is a secret/);
  assert.doesNotMatch(message, /top secret|u:p/);
});

Deno.test("computeGrant() gives discovered hosts to first-party sinks that discover", () => {
  const discovered = ["b:2"];
  const fields = { brokers: "a:1" };
  const net = ["{brokers}"];
  const own = computeGrant(request({ net, discoversHosts: true }, { fields, discovered }));
  assert.deepEqual(own.net, ["a:1", "b:2"]);
  assert.match(problemOf(request({ net }, { fields, discovered })), /wants to reach b:2/);
  assert.match(
    problemOf(request({ net, discoversHosts: true }, { fields, discovered: ["b"] })),
    /wants to reach "b", expected host:port/,
  );
});

Deno.test("computeGrant() gives external plugins only configured hosts and those the operator allows", () => {
  const external = { origin: "external", fields: { brokers: "a:1" } } as const;
  const net = ["{brokers}"];
  assert.match(
    problemOf(request({ net, discoversHosts: true }, { ...external, discovered: ["b:2"] })),
    /--plugin-net mine=b:2/,
  );
  assert.match(problemOf(request({ net: ["c:3"] }, external)), /asks for c:3, .*--plugin-net mine=c:3/);
  assert.match(problemOf(request({ assets: ["x"] }, external)), /one file/);
  const allowed = { ...external, operatorNet: ["b:2", "C:3"], discovered: ["b:2"] };
  assert.deepEqual(computeGrant(request({ net: [...net, "c:3"] }, allowed)).net, ["a:1", "c:3", "b:2"]);
});

Deno.test("computeGrant() gives guarded hosts only where the operator allows each of them, whoever wrote the plugin", () => {
  const fields = { url: "http://169.254.170.2/v2/x" };
  const guardedNet = ["{url}"];
  for (const origin of ["first_party", "external"] as const) {
    assert.match(
      problemOf(request({ guardedNet }, { origin, fields, operatorNet: ["169.254.170.2:81"] })),
      /url names 169\.254\.170\.2:80, which can hand out the identity of the relay's machine: .*--plugin-net mine=169\.254\.170\.2:80$/,
    );
    const granted = computeGrant(
      request({ guardedNet }, { origin, fields, operatorNet: ["169.254.170.2:80"] }),
    );
    assert.deepEqual(granted.net, ["169.254.170.2:80"]);
  }
  const loopback = request({ guardedNet }, { fields: { url: "http://127.0.0.1:9911/" } });
  assert.match(problemOf(loopback), /url names 127\.0\.0\.1:9911.*--plugin-net mine=127\.0\.0\.1:9911$/);
  assert.equal(computeGrant(request({ guardedNet })).net, false);
});

Deno.test("computeGrant() gives a metadata service to no field and to no cluster without the operator's word", () => {
  const net = ["{brokers}", "{url}"];
  const metadata = "metadata.google.internal:443";
  for (const origin of ["first_party", "external"] as const) {
    const named = { origin, fields: { brokers: "a:1,169.254.169.254:80", url: `https://${metadata}/token` } };
    const message = problemOf(request({ net }, named));
    assert.match(message, /brokers names 169\.254\.169\.254:80/);
    assert.match(message, /url names metadata\.google\.internal:443/);
    const operatorNet = ["169.254.169.254:80", metadata];
    const { net: granted } = computeGrant(request({ net }, { ...named, operatorNet }));
    assert.deepEqual(granted, ["a:1", "169.254.169.254:80", metadata]);
  }
  const discovered = { fields: { brokers: "a:1" }, discovered: ["169.254.169.254:80"] };
  assert.match(
    problemOf(request({ net, discoversHosts: true }, discovered)),
    /the cluster names 169\.254\.169\.254:80.*--plugin-net mine=/,
  );
});

Deno.test("computeGrant() gives a first-party plugin nothing that only the operator names", () => {
  const operatorNet = ["169.254.169.254:80", "b:2"];
  const grant = computeGrant(request({ net: ["{brokers}"] }, { fields: { brokers: "a:1" }, operatorNet }));
  assert.deepEqual(grant.net, ["a:1"]);
});

Deno.test("computeGrant() grants what a first-party description names", () => {
  assert.deepEqual(computeGrant(request({ net: ["api.example:443"] })).net, ["api.example:443"]);
  assert.match(problemOf(request({ net: ["*"] })), /permissions\.net holds "\*"/);
});

Deno.test("covers() compares addresses as permissions do", () => {
  const grant = computeGrant(request({ net: ["A:1"] }));
  assert.ok(covers(grant, ["a:1", "A:1"]));
  assert.ok(!covers(grant, ["a:2"]));
  assert.ok(!covers(noGrant(), ["a:1"]));
  assert.ok(covers(noGrant(), []));
});
