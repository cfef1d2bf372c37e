-- Sending again on SQLite: which deliveries there are, and how they go back into their lanes.

-- name: running_alike
SELECT {resend_columns}
FROM resends
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND choice = :choice
    AND finished_at IS NULL;

-- name: count_running
SELECT count(*)
FROM resends INDEXED BY resends_running
WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND finished_at IS NULL;

-- part: has_its_body
EXISTS (
        SELECT 1
        FROM bodies
        WHERE bodies.account_id = deliveries.account_id
            AND bodies.order_id = deliveries.order_id
            AND bodies.sequence = deliveries.sequence
            AND bodies.variant = deliveries.variant
    )

-- name: failed_page
SELECT {delivery_columns}
FROM deliveries INDEXED BY deliveries_open
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND state = 'abandoned'
    AND state <> 'acknowledged'
    AND (created_at, order_id, sequence) > (:after_created, :after_order, :after_sequence)
    AND {has_its_body}
ORDER BY created_at, order_id, sequence
LIMIT :limit;

-- name: failed_last
SELECT {delivery_columns}, {has_its_body}
FROM deliveries INDEXED BY deliveries_open
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND state = 'abandoned'
    AND state <> 'acknowledged'
ORDER BY created_at DESC, order_id DESC, sequence DESC
LIMIT :limit;

-- name: queued_between
SELECT {delivery_columns}, {has_its_body}, orders.created_at, orders.updated_at
FROM deliveries INDEXED BY deliveries_by_endpoint
LEFT JOIN orders
    ON orders.account_id = deliveries.account_id
    AND orders.order_id = deliveries.order_id
WHERE deliveries.account_id = :account_id
    AND deliveries.endpoint_id = :endpoint_id
    AND deliveries.created_at BETWEEN :since AND :until
ORDER BY deliveries.created_at, deliveries.order_id, deliveries.sequence
LIMIT :limit;

-- name: orders_changed_since
SELECT order_id, created_at, updated_at
FROM orders INDEXED BY orders_by_update
WHERE account_id = :account_id AND updated_at >= :since
ORDER BY updated_at, order_id
LIMIT :limit;

-- name: told_of
WITH wanted (account_id, order_id, endpoint_id) AS (VALUES (?, ?, ?))
SELECT {delivery_columns}
FROM wanted
CROSS JOIN deliveries
    ON deliveries.account_id = wanted.account_id
    AND deliveries.order_id = wanted.order_id
    AND deliveries.endpoint_id = wanted.endpoint_id
WHERE {has_its_body};

-- name: newest_of
WITH wanted (account_id, order_id, endpoint_id) AS (VALUES (?, ?, ?))
SELECT {delivery_columns}
FROM wanted
CROSS JOIN deliveries
    ON deliveries.account_id = wanted.account_id
    AND deliveries.order_id = wanted.order_id
    AND deliveries.endpoint_id = wanted.endpoint_id
    AND deliveries.sequence = (
        SELECT max(later.sequence)
        FROM deliveries AS later
        WHERE later.account_id = wanted.account_id
            AND later.order_id = wanted.order_id
            AND later.endpoint_id = wanted.endpoint_id
    )
WHERE {has_its_body};

-- name: due_lanes_number
SELECT count(*)
FROM (
    SELECT 1
    FROM lanes INDEXED BY lanes_due
    WHERE account_id = :account_id
        AND endpoint_id = :endpoint_id
        AND leased_until IS NULL
        AND due_at <= :now
    LIMIT :most
);

-- name: reopen_deliveries
-- What is settled becomes pending again, as the next replay.
WITH chosen (account_id, order_id, endpoint_id, sequence, asked_at, now, newest) AS (
    VALUES (?, ?, ?, ?, ?, ?, ?)
)
UPDATE deliveries
SET state = 'pending', tries = 0, replay = replay + 1, due_at = chosen.now, settled_at = NULL
FROM chosen
WHERE deliveries.account_id = chosen.account_id
    AND deliveries.order_id = chosen.order_id
    AND deliveries.endpoint_id = chosen.endpoint_id
    AND deliveries.sequence = chosen.sequence
    AND deliveries.state <> 'pending'
    AND deliveries.settled_at <= chosen.asked_at
    AND {has_its_body}
    AND NOT EXISTS (
        SELECT 1
        FROM removals
        WHERE removals.account_id = chosen.account_id AND removals.order_id = chosen.order_id
    )
    AND NOT (
        chosen.newest
        AND EXISTS (
            SELECT 1
            FROM deliveries AS later
            WHERE later.account_id = chosen.account_id
                AND later.order_id = chosen.order_id
                AND later.endpoint_id = chosen.endpoint_id
                AND later.sequence > chosen.sequence
        )
    )
RETURNING order_id, sequence;

-- name: reopen_lanes
-- An operator's word ends a hold, and the lane is due when its head is.
INSERT INTO lanes (account_id, endpoint_id, order_id, sequence, due_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (account_id, endpoint_id, order_id) DO UPDATE
SET sequence = min(lanes.sequence, excluded.sequence),
    due_at = (
        SELECT deliveries.due_at
        FROM deliveries
        WHERE deliveries.account_id = excluded.account_id
            AND deliveries.order_id = excluded.order_id
            AND deliveries.endpoint_id = excluded.endpoint_id
            AND deliveries.sequence = min(lanes.sequence, excluded.sequence)
    );
