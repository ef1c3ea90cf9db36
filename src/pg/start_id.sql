-- By way of text, because the driver would make a Date of the time: the 31st of February would be in March.
SELECT tide.start_id($1, ($2::text)::timestamptz)::text AS id
