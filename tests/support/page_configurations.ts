/**
 * The configurations of the Kafka sink's page besides its complete example, word for word.
 *
 * @module
 */

/** Minimal Configuration */
export const MINIMAL = `\
SELECT tide.relay_set_outbox(
    'orders-to-kafka',          -- pipeline name
    'orders',                    -- outbox name
    'kafka-relay',               -- consumer group
    '{
        "sink_type": "kafka",
        "brokers": "localhost:9092",
        "topic": "order-events"
    }'::jsonb
);`;

/** Production Configuration */
export const PRODUCTION = `\
SELECT tide.relay_set_outbox(
    'orders-to-kafka',
    'orders',
    'kafka-relay',
    '{
        "sink_type": "kafka",
        "brokers": "\${env:KAFKA_BROKERS}",
        "topic": "orders.events.{op}",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_username": "\${env:KAFKA_USERNAME}",
        "sasl_password": "\${env:KAFKA_PASSWORD}",
        "tls_enabled": true,
        "compression": "zstd",
        "acks": "all",
        "batch_size": 500,
        "linger_ms": 50,
        "idempotent": true,
        "request_timeout_ms": 30000
    }'::jsonb
);`;

/** The configurations of the section Authentication, by their headings. */
export const AUTHENTICATION: Readonly<Record<string, string>> = {
  "No Authentication (Development Only)": `\
{
    "sink_type": "kafka",
    "brokers": "localhost:9092",
    "topic": "dev-events"
}`,
  "SASL/PLAIN (Confluent Cloud)": `\
{
    "sink_type": "kafka",
    "brokers": "\${env:CONFLUENT_BOOTSTRAP_SERVERS}",
    "topic": "my-topic",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "\${env:CONFLUENT_API_KEY}",
    "sasl_password": "\${env:CONFLUENT_API_SECRET}",
    "tls_enabled": true
}`,
  "SASL/SCRAM-SHA-256": `\
{
    "sink_type": "kafka",
    "brokers": "kafka-1:9093,kafka-2:9093,kafka-3:9093",
    "topic": "events",
    "sasl_mechanism": "SCRAM-SHA-256",
    "sasl_username": "\${env:KAFKA_USER}",
    "sasl_password": "\${env:KAFKA_PASS}",
    "tls_enabled": true
}`,
  "mTLS (Certificate-Based)": `\
{
    "sink_type": "kafka",
    "brokers": "kafka-1:9093,kafka-2:9093",
    "topic": "secure-events",
    "tls_enabled": true,
    "tls_ca_cert": "/etc/certs/ca.pem",
    "tls_client_cert": "/etc/certs/client.pem",
    "tls_client_key": "/etc/certs/client-key.pem"
}`,
};
