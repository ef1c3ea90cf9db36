SELECT p.name, o.name AS outbox, o.number AS "outboxNumber", o.incarnation, p.consumer_group AS "consumerGroup", p.config,
  p.enabled, p.revision::text,
  EXISTS (SELECT FROM tide.dead_letter_retry r WHERE r.pipeline = p.name AND r.finished_at IS NULL) AS "retriesWaiting"
FROM tide.pipeline p JOIN tide.outbox o ON o.number = p.outbox_number ORDER BY p.name
