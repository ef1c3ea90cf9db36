SELECT verdict, detail, sequences_moved::text AS "sequencesMoved" FROM tide.check_numbering($1, $2)
