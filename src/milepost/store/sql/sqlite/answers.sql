-- What was not delivered, on SQLite, and what each endpoint was told of one order.

-- part: undelivered_after
    AND endpoint_id = :endpoint_id -- if endpoint_id
    AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
        > (:after_created, :after_order, :after_sequence, :after_endpoint) -- if after_endpoint
ORDER BY created_at, order_id, sequence, endpoint_id
LIMIT :limit

-- name: undelivered
-- The first of each state, and the first of those.
SELECT *
FROM (
    SELECT {delivery_columns}
    FROM deliveries INDEXED BY deliveries_open
    WHERE account_id = :account_id AND state = 'pending' AND state <> 'acknowledged'
    {undelivered_after}
)
UNION ALL
SELECT *
FROM (
    SELECT {delivery_columns}
    FROM deliveries INDEXED BY deliveries_open
    WHERE account_id = :account_id AND state = 'abandoned' AND state <> 'acknowledged'
    {undelivered_after}
)
UNION ALL
SELECT *
FROM (
    SELECT {delivery_columns}
    FROM deliveries INDEXED BY deliveries_open
    WHERE account_id = :account_id AND state = 'superseded' AND state <> 'acknowledged'
    {undelivered_after}
)
ORDER BY created_at, order_id, sequence, endpoint_id
LIMIT :limit;

-- name: queued_page
-- A body is gone when the order's personal data was erased.
SELECT {delivery_columns}, bodies.content_type, bodies.content
FROM deliveries INDEXED BY deliveries_by_endpoint
LEFT JOIN bodies
    ON bodies.account_id = deliveries.account_id
    AND bodies.order_id = deliveries.order_id
    AND bodies.sequence = deliveries.sequence
    AND bodies.variant = deliveries.variant
WHERE deliveries.account_id = :account_id
    AND deliveries.endpoint_id = :endpoint_id
    AND (deliveries.created_at, deliveries.order_id, deliveries.sequence)
        > (:after_created, :after_order, :after_sequence)
ORDER BY deliveries.created_at, deliveries.order_id, deliveries.sequence
LIMIT :limit;

-- name: told
SELECT
    account_id, order_id, endpoint_id, sequence, previous, status, state, created_at, attempts,
    tries, replay, due_at, settled_at, outcome, pending, abandoned, superseded, waits_since
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY endpoint_id ORDER BY sequence DESC) AS place,
        count(*) FILTER (WHERE state = 'pending') OVER every_one AS pending,
        count(*) FILTER (WHERE state = 'abandoned') OVER every_one AS abandoned,
        count(*) FILTER (WHERE state = 'superseded') OVER every_one AS superseded,
        min(created_at) FILTER (WHERE state = 'pending') OVER every_one AS waits_since
    FROM deliveries
    WHERE account_id = :account_id AND order_id = :order_id
    WINDOW every_one AS (PARTITION BY endpoint_id)
)
WHERE place = 1
ORDER BY endpoint_id;

-- name: acknowledged_last
SELECT receiver, received, deliveries.status, received_at
FROM (
    SELECT
        endpoint_id AS receiver,
        sequence AS received,
        started_at AS received_at,
        row_number() OVER (
            PARTITION BY endpoint_id ORDER BY started_at DESC, sequence DESC, attempt DESC
        ) AS place
    FROM attempts
    WHERE account_id = :account_id AND order_id = :order_id AND outcome = 'acknowledged'
)
CROSS JOIN deliveries
    ON deliveries.account_id = :account_id
    AND deliveries.order_id = :order_id
    AND deliveries.endpoint_id = receiver
    AND deliveries.sequence = received
WHERE place = 1;
