-- The clocks of sandbox accounts, which can be moved: the same for every database. What waits for a
-- time of ours comes due earlier by as much; the trackings of an account stand in its own time.

-- name: clock
SELECT sandbox, ahead
FROM accounts
WHERE account_id = :account_id;

-- name: move_clock
-- Only from where it was seen, so that nobody moves it twice.
UPDATE accounts
SET ahead = :ahead
WHERE account_id = :account_id AND sandbox = 1 AND ahead = :seen;

-- name: move_rehearsals
UPDATE rehearsals
SET due_at = due_at - :by
WHERE account_id = :account_id AND claimed = 0 AND due_at > :now;

-- name: move_health
-- What an endpoint's rules count from. When it was last answered stays as it was.
UPDATE endpoint_health
SET failing_since = failing_since - :by,
    abandoned_since = abandoned_since - :by,
    abandoned_told_at = abandoned_told_at - :by
WHERE account_id = :account_id
    AND coalesce(failing_since, abandoned_since, abandoned_told_at) IS NOT NULL;

-- name: waiting_lanes
-- How many are due or on their way, and when the next comes due; of endpoints that rest, none.
SELECT
    coalesce(sum(CASE WHEN lanes.leased_until IS NOT NULL OR lanes.due_at <= :now THEN 1 END), 0),
    min(CASE WHEN lanes.leased_until IS NULL AND lanes.due_at > :now THEN lanes.due_at END)
FROM endpoints
JOIN lanes
    ON lanes.account_id = endpoints.account_id AND lanes.endpoint_id = endpoints.endpoint_id
WHERE endpoints.account_id = :account_id AND endpoints.state = 'active';

-- name: waiting_rehearsals
SELECT
    coalesce(sum(CASE WHEN claimed = 1 OR due_at <= :now THEN 1 END), 0),
    min(CASE WHEN claimed = 0 AND due_at > :now THEN due_at END)
FROM rehearsals
WHERE account_id = :account_id;

-- name: waiting_trackings
-- In the account's own time; where nobody can be asked, nobody looks.
SELECT
    coalesce(sum(CASE WHEN lease_owner IS NOT NULL OR due_at <= :there THEN 1 END), 0),
    min(CASE WHEN lease_owner IS NULL AND due_at > :there THEN due_at END)
FROM trackings
WHERE account_id = :account_id
    AND due_at IS NOT NULL
    AND EXISTS (SELECT 1 FROM carrier_sources WHERE carrier_sources.account_id = :account_id);

-- name: waiting_silences
-- Since when, in the account's own time, the first order of each state was not heard of any more. A
-- silence that was raised waits for nothing, until its order moves.
SELECT
    orders.state,
    min(CASE WHEN orders.state_at >= orders.heard_at THEN orders.state_at ELSE orders.heard_at END)
FROM orders
WHERE orders.account_id = :account_id
    AND (
        orders.silent_at IS NULL
        OR orders.silent_state <> orders.state
        OR orders.silent_at < orders.state_at
        OR orders.silent_at < orders.heard_at
    )
    AND orders.erased_at IS NULL
    AND orders.order_id < 'tst_'
GROUP BY orders.state;
