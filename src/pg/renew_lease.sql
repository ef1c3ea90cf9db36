UPDATE tide.lease SET expires_at = clock_timestamp() + make_interval(secs => $3::double precision / 1000)
WHERE pipeline = $1 AND epoch = $2 RETURNING epoch::text
