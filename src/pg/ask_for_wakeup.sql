SELECT tide.ask_for_wakeup($1, $2) AS notifies
