DELETE FROM tide.relay WHERE holder = $1
