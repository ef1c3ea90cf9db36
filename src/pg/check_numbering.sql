-- The life is the one in which the check was made: of one connection.
SELECT verdict, detail, sequences_moved::text AS "sequencesMoved",
  CASE WHEN verdict IN ('ok', 'adopted') THEN tide.begin_life() END AS life
FROM tide.check_numbering($1, $2)
