-- Sending again on PostgreSQL: which deliveries there are, and how they go back into their lanes.
--
-- Whoever sends again first makes every lane stand and locks it, which waits for whoever works on
-- it just now; the statements after that see all that was done to it. So a head that was in its
-- lane only is on record before anything is put before or behind it.

-- name: running_alike
SELECT {resend_columns}
FROM resends
WHERE account_id COLLATE "POSIX" = :account_id
    AND endpoint_id = :endpoint_id
    AND choice = :choice
    AND finished_at IS NULL;

-- name: count_running
SELECT count(*)
FROM resends
WHERE account_id COLLATE "POSIX" = :account_id AND endpoint_id = :endpoint_id AND finished_at IS NULL;

-- part: has_its_body
EXISTS (
                SELECT FROM bodies
                WHERE bodies.account_id = deliveries.account_id
                    AND bodies.order_id = deliveries.order_id
                    AND bodies.sequence = deliveries.sequence
                    AND bodies.variant = deliveries.variant
                OFFSET 0
            )

-- name: failed_page
SELECT {delivery_columns}
FROM deliveries
WHERE deliveries.account_id COLLATE "POSIX" = :account_id
    AND deliveries.endpoint_id = :endpoint_id
    AND deliveries.state = 'abandoned'
    AND deliveries.state <> 'acknowledged'
    AND (deliveries.created_at, deliveries.order_id, deliveries.sequence)
        > (:after_created, :after_order, :after_sequence::bigint)
    AND {has_its_body}
ORDER BY deliveries.created_at, deliveries.order_id, deliveries.sequence
LIMIT :limit;

-- name: failed_last
SELECT {delivery_columns}, {has_its_body}
FROM deliveries
WHERE deliveries.account_id COLLATE "POSIX" = :account_id
    AND deliveries.endpoint_id = :endpoint_id
    AND deliveries.state = 'abandoned'
    AND deliveries.state <> 'acknowledged'
ORDER BY deliveries.created_at DESC, deliveries.order_id DESC, deliveries.sequence DESC
LIMIT :limit;

-- name: queued_between
-- The first of each state and the first of those; besides those on record the heads that are in
-- their lanes, which are due since they were made.
WITH found AS (
    SELECT *
    FROM (
        SELECT part.*
        FROM unnest(ARRAY['pending', 'acknowledged', 'abandoned', 'superseded']) AS wanted (state)
        CROSS JOIN LATERAL (
            SELECT {delivery_columns}, deliveries.variant
            FROM deliveries
            WHERE deliveries.account_id COLLATE "POSIX" = :account_id
                AND deliveries.endpoint_id = :endpoint_id
                AND deliveries.state = wanted.state
                AND deliveries.created_at BETWEEN :since AND :until
            ORDER BY deliveries.created_at, deliveries.order_id, deliveries.sequence
            LIMIT :limit
        ) AS part
        UNION ALL
        (
            SELECT {in_lane}, NULL
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = :account_id
                AND lanes.endpoint_id = :endpoint_id
                AND lanes.leased_until IS NULL
                AND lanes.due_at BETWEEN :since AND :until
                AND lanes.status IS NOT NULL
            ORDER BY lanes.due_at, lanes.order_id, lanes.sequence
            LIMIT :limit
        )
        UNION ALL
        SELECT {in_lane}, NULL
        FROM lanes
        WHERE lanes.account_id COLLATE "POSIX" = :account_id
            AND lanes.endpoint_id = :endpoint_id
            AND lanes.leased_until > 0
            AND lanes.status IS NOT NULL
            AND lanes.created_at BETWEEN :since AND :until
    ) AS each
    ORDER BY each.created_at, each.order_id, each.sequence
    LIMIT :limit
)
SELECT
    {delivery_columns},
    -- What is in its lane only has its body for certain.
    deliveries.variant IS NULL OR {has_its_body},
    orders.created_at, orders.updated_at
FROM found AS deliveries
LEFT JOIN LATERAL (
    SELECT orders.created_at, orders.updated_at FROM orders
    WHERE orders.account_id = deliveries.account_id AND orders.order_id = deliveries.order_id
    OFFSET 0
) AS orders ON true
ORDER BY deliveries.created_at, deliveries.order_id, deliveries.sequence;

-- name: orders_changed_since
SELECT orders.order_id, orders.created_at, orders.updated_at
FROM orders
WHERE orders.account_id COLLATE "POSIX" = :account_id
    AND orders.updated_at >= :since
    AND orders.updated_at > 0
ORDER BY orders.updated_at, orders.order_id
LIMIT :limit;

-- name: told_of
SELECT told.*
FROM unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, order_id, endpoint_id)
CROSS JOIN LATERAL (
    SELECT {delivery_columns}
    FROM deliveries
    WHERE deliveries.account_id = wanted.account_id
        AND deliveries.order_id = wanted.order_id
        AND deliveries.endpoint_id = wanted.endpoint_id
        AND {has_its_body}
    UNION ALL
    SELECT {in_lane}
    FROM lanes
    WHERE lanes.account_id = wanted.account_id
        AND lanes.endpoint_id = wanted.endpoint_id
        AND lanes.order_id = wanted.order_id
        AND lanes.status IS NOT NULL
) AS told;

-- name: newest_of
SELECT newest.*
FROM unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, order_id, endpoint_id)
CROSS JOIN LATERAL (
    SELECT *
    FROM (
        SELECT *
        FROM (
            SELECT {delivery_columns}
            FROM deliveries
            WHERE deliveries.account_id = wanted.account_id
                AND deliveries.order_id = wanted.order_id
                AND deliveries.endpoint_id = wanted.endpoint_id
                AND {has_its_body}
            ORDER BY deliveries.sequence DESC
            LIMIT 1
        ) AS on_record
        UNION ALL
        SELECT {in_lane}
        FROM lanes
        WHERE lanes.account_id = wanted.account_id
            AND lanes.endpoint_id = wanted.endpoint_id
            AND lanes.order_id = wanted.order_id
            AND lanes.status IS NOT NULL
    ) AS each
    ORDER BY each.sequence DESC
    LIMIT 1
) AS newest;

-- name: due_lanes_number
SELECT count(*)
FROM (
    SELECT
    FROM lanes
    WHERE lanes.account_id COLLATE "POSIX" = :account_id
        AND lanes.endpoint_id = :endpoint_id
        AND lanes.leased_until IS NULL
        AND lanes.due_at <= :now
    LIMIT :most
) AS due;

-- name: stand_lanes
-- Lanes that do not stand begin, with nothing in them yet. Those that stand are locked; their
-- revision rises, because whoever has one leased must look at it again.
INSERT INTO lanes (account_id, endpoint_id, order_id, sequence, last)
SELECT unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), 2147483647, 0
ON CONFLICT (account_id, endpoint_id, order_id) DO UPDATE
SET revision = lanes.revision + 1;

-- name: record_heads
-- Of lanes that are locked: heads that were in their lanes only come on record.
WITH heads AS MATERIALIZED (
    SELECT head.*
    FROM unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, endpoint_id, order_id)
    CROSS JOIN LATERAL (
        SELECT
            lanes.account_id, lanes.endpoint_id, lanes.order_id, lanes.sequence, lanes.previous,
            lanes.status, lanes.created_at, lanes.variant
        FROM lanes
        WHERE lanes.account_id = wanted.account_id
            AND lanes.endpoint_id = wanted.endpoint_id
            AND lanes.order_id = wanted.order_id
            AND lanes.status IS NOT NULL
        OFFSET 0
    ) AS head
), recorded AS (
    INSERT INTO deliveries (
        account_id, order_id, endpoint_id, sequence, previous, status, state, created_at,
        attempts, tries, replay, due_at, variant
    )
    SELECT
        account_id, order_id, endpoint_id, sequence, previous, status, 'pending', created_at,
        0, 0, 0, created_at, variant
    FROM heads
)
UPDATE lanes
SET status = NULL, previous = NULL, variant = NULL, created_at = NULL
FROM heads
WHERE lanes.account_id = ANY (ARRAY[heads.account_id])
    AND lanes.endpoint_id = heads.endpoint_id
    AND lanes.order_id = heads.order_id;

-- name: reopen_deliveries
-- What is settled becomes pending again, as the next replay; of the newest only what still is.
WITH chosen AS MATERIALIZED (
    SELECT found.*
    FROM unnest(texts($1), texts($2), texts($3), $4::text::integer[])
        AS wanted (account_id, endpoint_id, order_id, sequence)
    CROSS JOIN LATERAL (
        SELECT
            deliveries.account_id, deliveries.endpoint_id, deliveries.order_id,
            deliveries.sequence
        FROM deliveries
        WHERE deliveries.account_id = wanted.account_id
            AND deliveries.order_id = wanted.order_id
            AND deliveries.endpoint_id = wanted.endpoint_id
            AND deliveries.sequence = wanted.sequence
            AND deliveries.state <> 'pending'
            AND deliveries.settled_at <= $5
            AND {has_its_body}
            AND NOT EXISTS (
                SELECT FROM removals
                WHERE removals.account_id = wanted.account_id
                    AND removals.order_id = wanted.order_id
                OFFSET 0
            )
            AND NOT ($6 AND EXISTS (
                SELECT FROM deliveries AS later
                WHERE later.account_id = wanted.account_id
                    AND later.order_id = wanted.order_id
                    AND later.endpoint_id = wanted.endpoint_id
                    AND later.sequence > wanted.sequence
                OFFSET 0
            ))
        FOR UPDATE
    ) AS found
)
UPDATE deliveries
SET state = 'pending', tries = 0, replay = replay + 1, due_at = $7, settled_at = NULL
FROM chosen
WHERE deliveries.account_id = ANY (ARRAY[chosen.account_id])
    AND deliveries.order_id = chosen.order_id
    AND deliveries.endpoint_id = chosen.endpoint_id
    AND deliveries.sequence = chosen.sequence
RETURNING deliveries.order_id, deliveries.sequence;

-- name: reopen_lanes
-- An operator's word ends a hold, and the lane is due when its head is.
UPDATE lanes
SET sequence = least(lanes.sequence, told.first),
    last = greatest(lanes.last, told.last),
    due_at = (
        SELECT deliveries.due_at
        FROM deliveries
        WHERE deliveries.account_id = lanes.account_id
            AND deliveries.order_id = lanes.order_id
            AND deliveries.endpoint_id = lanes.endpoint_id
            AND deliveries.sequence = least(lanes.sequence, told.first)
    )
FROM unnest(
    texts($1), texts($2), texts($3), $4::text::integer[], $5::text::integer[]
) AS told (account_id, endpoint_id, order_id, first, last)
WHERE lanes.account_id = ANY (ARRAY[told.account_id])
    AND lanes.endpoint_id = told.endpoint_id
    AND lanes.order_id = told.order_id;

-- name: drop_empty_lanes
-- Those that were begun for what then was not sent again.
DELETE FROM lanes
USING unnest(texts($1), texts($2), texts($3)) AS told (account_id, endpoint_id, order_id)
WHERE lanes.account_id = ANY (ARRAY[told.account_id])
    AND lanes.endpoint_id = told.endpoint_id
    AND lanes.order_id = told.order_id
    AND lanes.last = 0;
