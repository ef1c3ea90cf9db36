/**
 * The "Complete Example" of the Kafka sink's page, word for word.
 *
 * @module
 */

/** What the example takes for granted: the application's own table. */
export const ORDERS_TABLE =
  `CREATE TABLE orders (id uuid PRIMARY KEY, customer_id text NOT NULL, total numeric NOT NULL, status text NOT NULL);`;

/** 1. Set Up the Outbox */
export const SET_UP_THE_OUTBOX = `\
-- Create the orders outbox with 48-hour retention
SELECT tide.outbox_create('orders', retention_hours => 48);`;

/** 2. Publish Messages from Your Application */
export const PUBLISH_MESSAGES = `\
-- In your order processing transaction:
BEGIN;
INSERT INTO orders (id, customer_id, total, status)
VALUES (gen_random_uuid(), 'cust-789', 99.99, 'confirmed');

SELECT tide.outbox_publish(
    'orders',
    jsonb_build_object(
        'event_type', 'order.confirmed',
        'order_id', 'ord-12345',
        'customer_id', 'cust-789',
        'total', 99.99,
        'items', jsonb_build_array(
            jsonb_build_object('sku', 'WIDGET-A', 'qty', 2)
        )
    ),
    'ord-12345'  -- dedup_key
);
COMMIT;`;

/** 3. Configure the Pipeline */
export const CONFIGURE_THE_PIPELINE = `\
SELECT tide.relay_set_outbox(
    'orders-to-kafka',
    'orders',
    'kafka-relay',
    '{
        "sink_type": "kafka",
        "brokers": "kafka:9092",
        "topic": "order-events",
        "compression": "zstd",
        "acks": "all",
        "idempotent": true,
        "batch_size": 100
    }'::jsonb
);
SELECT tide.relay_enable('orders-to-kafka');`;

/** The pipeline's name in the example. */
export const PIPELINE = "orders-to-kafka";

/** The topic's name in the example. */
export const TOPIC = "order-events";

/** The pipeline's statements for brokers, and a topic, of one's own; all else stays as it is on the page. */
export function configureThePipeline(brokers: string, topic: string): string {
  return CONFIGURE_THE_PIPELINE
    .replace(`"kafka:9092"`, () => JSON.stringify(brokers))
    .replace(`"${TOPIC}"`, () => JSON.stringify(topic));
}
