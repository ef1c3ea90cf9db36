-- Times are the server's, so that the clocks of the relays' machines do not matter.
UPDATE tide.lease SET holder = $2, epoch = nextval('tide.lease_epoch'),
  expires_at = clock_timestamp() + make_interval(secs => $3::double precision / 1000)
WHERE pipeline = $1 AND expires_at <= clock_timestamp() RETURNING epoch::text
