INSERT INTO tide.relay AS r (holder, version) VALUES ($1, $2)
ON CONFLICT (holder) DO UPDATE SET version = excluded.version, seen_at = clock_timestamp()
