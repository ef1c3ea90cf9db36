SELECT count(*)::integer AS count FROM (SELECT FROM tide.dead_letter WHERE pipeline = $1 LIMIT $2) d
