import type { Fault, Json } from "../../plugins/sdk/mod.ts";
import assert from "node:assert/strict";
import { containerService } from "../support/aws_services.ts";
import { startKafkaSink } from "../support/kafka_sink.ts";
import { secureKafka } from "../support/kafka_secure.ts";
import { LoopbackServer } from "../support/loopback_server.ts";
import { OAuthServer } from "../support/oauth_server.ts";

type Fields = Readonly<Record<string, Json>>;

/** Why the sink's Worker does not open. */
async function faultOf(
  fields: Fields,
  pluginNet: readonly string[] = [],
): Promise<Exclude<Fault, { kind: "hosts" }>> {
  const opened = await startKafkaSink(fields, pluginNet);
  assert.ok("fault" in opened && opened.fault.kind !== "hosts", "it is open");
  return opened.fault;
}

const OAUTH = {
  brokers: "127.0.0.1:1",
  sasl_mechanism: "OAUTHBEARER",
  sasl_oauth_client_id: "relay",
  sasl_oauth_client_secret: "secret",
};

Deno.test("the Kafka sink's Worker asks a credential service only if the operator allows its host", async () => {
  const secure = await secureKafka();
  await using service = new LoopbackServer(containerService({ path: "/v2/credentials/1" }));
  const { host } = new URL(service.origin);
  const fields = {
    brokers: secure.listeners.SASL_PLAINTEXT,
    sasl_mechanism: "AWS_MSK_IAM",
    sasl_aws_region: "eu-central-1",
    sasl_aws_credentials: "container",
    sasl_aws_credentials_url: `${service.origin}/v2/credentials/1`,
  };
  for (const pluginNet of [[], ["kafka=127.0.0.1:1"], [`webhook=${host}`]]) {
    const refused = await faultOf(fields, pluginNet);
    assert.ok(refused.kind === "configuration");
    assert.equal(refused.code, "PLUGIN_GRANT");
    assert.ok(refused.reason.includes(`sasl_aws_credentials_url names ${host}`), refused.reason);
    assert.ok(refused.reason.endsWith(`--plugin-net kafka=${host}`), refused.reason);
  }
  assert.equal(service.requests.length, 0);
  const shown = await faultOf(fields, [`kafka=${host}`]);
  assert.equal(
    shown.code,
    "SASL_AUTHENTICATION_FAILED",
    "the broker was shown the identity that the service gave",
  );
  assert.ok(service.requests.length > 0);
});

Deno.test("a configuration sends the Kafka sink's Worker to no metadata service, whatever field names it", async () => {
  const hosts = [
    "169.254.169.254",
    "metadata.google.internal",
    "[fd00:ec2::254]",
    "2852039166",
    "[::ffff:a9fe:a9fe]",
  ];
  for (const host of hosts) {
    const fault = await faultOf({ ...OAUTH, sasl_oauth_token_url: `https://${host}/latest/meta-data` });
    assert.equal(fault.code, "PLUGIN_GRANT");
    assert.match(
      fault.reason,
      /sasl_oauth_token_url names .*:443, which can hand out .* --plugin-net kafka=/,
    );
  }
  const asBroker = await faultOf({ brokers: "169.254.169.254:80" });
  assert.match(asBroker.reason, /brokers names 169\.254\.169\.254:80, which can hand out/);
});

Deno.test("the Kafka sink's Worker is not led elsewhere by an OAuth server", async () => {
  await using elsewhere = new LoopbackServer(() => Response.json({ access_token: "x" }));
  await using server = new LoopbackServer(() => Response.redirect(`${elsewhere.origin}/token`, 307));
  const fault = await faultOf({ ...OAUTH, sasl_oauth_token_url: server.origin });
  assert.ok(fault.kind === "configuration");
  assert.match(
    fault.reason,
    /answers 307 Temporary Redirect \(a redirect, which is not followed\), expected a token$/,
  );
  assert.deepEqual([server.requests.length, elsewhere.requests.length], [1, 0]);
});

Deno.test("the Kafka sink's Worker reaches the OAuth server also when it is started anew for the brokers that it has found", async () => {
  const secure = await secureKafka();
  await using server = new OAuthServer(secure);
  // Its listener tells clients another address than the one that is configured.
  const brokers = secure.listeners.SASL_PLAINTEXT.replace("127.0.0.1", "localhost");
  const opened = await startKafkaSink({ brokers, ...server.fields });
  assert.ok("sink" in opened, JSON.stringify(opened));
  await opened.sink.close();
});
