-- A page of a window's stragglers, of one outbox: {outbox} is its number.
SELECT n, payloads, ids, times, ops, keys, key_lengths, headers, previous, tide.life()
FROM tide.read_stragglers_{outbox}($1, $2, $3, $4, $5, $6, $7)
