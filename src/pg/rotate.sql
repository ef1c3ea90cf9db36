SELECT tide.outbox_rotate()::text AS rotated
