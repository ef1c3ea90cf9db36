UPDATE tide.lease SET expires_at = clock_timestamp() + make_interval(secs => $4::double precision / 1000)
WHERE pipeline = $1 AND holder = $2 AND epoch = $3 RETURNING epoch::text
