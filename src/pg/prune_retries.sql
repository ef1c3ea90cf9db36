-- Requests to send dead letters again are kept for a week, for whoever asks what became of them.
DELETE FROM tide.dead_letter_retry WHERE finished_at < clock_timestamp() - interval '7 days'
