SELECT retry::double precision, letters::double precision
FROM tide.dlq_retry($1, $2, $3, $4, ($5::text)::jsonb, $6, $7, $8)
