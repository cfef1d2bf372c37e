-- Moving the clock of an account on SQLite, where one thread writes.

-- name: clocks_ahead
SELECT account_id, ahead
FROM accounts
WHERE ahead > 0;

-- name: move_deliveries
-- By the index of what is not acknowledged: most of an account is.
UPDATE deliveries INDEXED BY deliveries_open
SET due_at = due_at - :by
WHERE account_id = :account_id
    AND state = 'pending'
    AND state <> 'acknowledged'
    AND due_at > :now;

-- name: move_lanes
UPDATE lanes
SET due_at = due_at - :by
WHERE account_id = :account_id AND leased_until IS NULL AND due_at > :now;
