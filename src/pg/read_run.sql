-- A page of a window's run, of one outbox: {outbox} is its number.
SELECT n, payloads, ids, times, ops, keys, key_lengths, headers, previous, tide.life()
FROM tide.read_run_{outbox}($1, $2, $3, $4, $5, $6)
