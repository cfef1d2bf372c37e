-- Moving the clock of an account on PostgreSQL, beside whoever sends what it has queued.

-- name: lock_account_lanes
-- In the order that everybody keeps.
SELECT 1
FROM lanes
WHERE account_id = :account_id
ORDER BY account_id, endpoint_id, order_id
FOR UPDATE;

-- name: move_deliveries
-- Endpoint by endpoint, by the index that has what is pending together.
UPDATE deliveries
SET due_at = due_at - :by
WHERE account_id COLLATE "POSIX" = :account_id
    AND endpoint_id = ANY (ARRAY(
        SELECT endpoints.endpoint_id FROM endpoints WHERE endpoints.account_id = :account_id
    ))
    AND state = 'pending'
    AND due_at > :now;

-- name: move_lanes
-- A lane that is leased goes on to what this moves as well: it has to be looked at again.
UPDATE lanes
SET due_at = CASE
        WHEN leased_until IS NULL AND due_at > :now THEN due_at - :by
        ELSE due_at
    END,
    revision = revision + 1
WHERE account_id = :account_id AND (leased_until IS NOT NULL OR due_at > :now);
