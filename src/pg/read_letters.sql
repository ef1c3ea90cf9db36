SELECT n, payloads, ids, times, ops, keys, key_lengths, headers, previous, letters, edits, retries, incarnations, read_at, tide.life()
FROM tide.read_letters($1, $2, $3, $4)
