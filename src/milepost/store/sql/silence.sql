-- Silences: orders of which nothing was heard for too long, and how long that is.

-- part: silence_columns
silences.account_id, silences.number, silences.order_id, silences.kind, silences.state,
silences.since_at, silences.after_s, silences.raised_at, silences.ended_at, silences.ended_state,
orders.store, orders.order_key

-- part: watch_columns
silence_watches.raised, silence_watches.raised_told, silence_watches.raised_told_at,
silence_watches.ended, silence_watches.ended_told, silence_watches.ended_told_at

-- name: silence_thresholds
SELECT state, after_s
FROM silence_thresholds
WHERE account_id = :account_id;

-- name: put_silence_threshold
INSERT INTO silence_thresholds (account_id, state, after_s, changed_at)
VALUES (:account_id, :state, :after_s, :now)
ON CONFLICT (account_id, state) DO UPDATE
SET after_s = excluded.after_s, changed_at = excluded.changed_at;

-- name: drop_silence_threshold
DELETE FROM silence_thresholds
WHERE account_id = :account_id AND state = :state;

-- name: begin_silence_watch
INSERT INTO silence_watches (account_id)
VALUES (:account_id)
ON CONFLICT (account_id) DO NOTHING;

-- name: silence_watch
SELECT {watch_columns}
FROM silence_watches
WHERE account_id = :account_id;

-- name: keep_silence_watch
UPDATE silence_watches
SET raised = :raised,
    raised_told = :raised_told,
    raised_told_at = :raised_told_at,
    ended = :ended,
    ended_told = :ended_told,
    ended_told_at = :ended_told_at
WHERE account_id = :account_id;

-- name: number_silence_notice
UPDATE silence_watches
SET notices = notices + 1
WHERE account_id = :account_id
RETURNING notices;

-- name: end_silence
UPDATE silences
SET ended_at = :ended_at, ended_state = :ended_state, ended_number = :ended_number
WHERE account_id = :account_id AND number = :number;

-- name: first_untold_silences
SELECT {silence_columns}
FROM silences
{silence_orders}
WHERE silences.account_id = :account_id
    AND silences.number > :told
    AND silences.ended_at IS NULL
ORDER BY silences.number
LIMIT :limit;

-- name: count_untold_silences
SELECT count(*)
FROM silences
WHERE silences.account_id = :account_id
    AND silences.number > :told
    AND silences.ended_at IS NULL;

-- name: silences_page
SELECT {silence_columns}
FROM silences
{silence_orders}
WHERE silences.account_id = :account_id
    AND silences.number < :before
    AND silences.kind = :kind -- if kind
    AND silences.state = :state -- if state
    AND silences.ended_at IS NOT NULL -- if ended
ORDER BY silences.number DESC
LIMIT :limit;
