SELECT tide.start_id($1, $2)::text AS id
