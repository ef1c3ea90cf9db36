import { assertDelivers } from "../../support/kafka_configuration.ts";
import { RELAY_USER, secureKafka } from "../../support/kafka_secure.ts";
import { SERVICES } from "../../support/compatibility.ts";

const { username, password } = RELAY_USER;

for (const { name, standIn, fields } of SERVICES) {
  Deno.test(`the README's configuration for ${name} delivers to its stand-in`, async () => {
    const { kafka, listeners, authority, client } = await secureKafka();
    // A service's certificate is signed by an authority that everybody knows, unless its configuration names one.
    const known = { tls_ca_cert: authority.certificate };
    const place = {
      sink_type: "kafka",
      brokers: listeners[standIn],
      topic: `service-${crypto.randomUUID()}`,
    };
    await assertDelivers(kafka, { ...place, ...known, ...fields }, {
      env: {
        CONFLUENT_API_KEY: username,
        CONFLUENT_API_SECRET: password,
        KAFKA_USERNAME: username,
        KAFKA_PASSWORD: password,
      },
      files: {
        "/etc/certs/ca.pem": authority.certificate,
        "/etc/certs/client.pem": client.certificate,
        "/etc/certs/client-key.pem": client.key,
      },
    });
  });
}
