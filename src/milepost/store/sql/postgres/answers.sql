-- What was not delivered, on PostgreSQL, and what each endpoint was told of one order.

-- name: undelivered
-- The first of each endpoint and state and the first of those; besides those on record the heads
-- that are in their lanes, which are due since they were made and so in the order of the list.
WITH {endpoints_that_have_deliveries}, shown AS (
    SELECT part.*
    FROM named
    CROSS JOIN unnest(ARRAY['pending', 'abandoned', 'superseded']) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT {delivery_columns}
        FROM deliveries
        WHERE deliveries.account_id COLLATE "POSIX" = :account_id
            AND deliveries.endpoint_id = named.endpoint_id
            AND deliveries.state = wanted.state
            AND deliveries.state <> 'acknowledged'
            AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
                > (:after_created, :after_order, -- if after_endpoint
                    :after_sequence::bigint, :after_endpoint) -- if after_endpoint
        ORDER BY deliveries.created_at, deliveries.order_id, deliveries.sequence
        LIMIT :limit
    ) AS part
    WHERE named.endpoint_id IS NOT NULL
        AND named.endpoint_id = :endpoint_id -- if endpoint_id
), queued AS (
    SELECT lane.*
    FROM endpoints
    CROSS JOIN LATERAL (
        SELECT *
        FROM (
            SELECT {in_lane}
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until IS NULL
                AND lanes.due_at >= :after_created -- if after_endpoint
                AND lanes.status IS NOT NULL
                AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
                    > (:after_created, :after_order, -- if after_endpoint
                        :after_sequence::bigint, :after_endpoint) -- if after_endpoint
            ORDER BY lanes.due_at, lanes.order_id, lanes.sequence
            LIMIT :limit
        ) AS free
        UNION ALL
        SELECT *
        FROM (
            SELECT {in_lane}
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until > 0
                AND lanes.status IS NOT NULL
                AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
                    > (:after_created, :after_order, -- if after_endpoint
                        :after_sequence::bigint, :after_endpoint) -- if after_endpoint
        ) AS leased
    ) AS lane
    WHERE endpoints.account_id = :account_id
        AND endpoints.endpoint_id = :endpoint_id -- if endpoint_id
)
SELECT *
FROM (TABLE shown UNION ALL TABLE queued) AS found
ORDER BY found.created_at, found.order_id, found.sequence, found.endpoint_id
LIMIT :limit;

-- name: queued_page
-- The first of each state and the first of those; besides those on record the heads that are in
-- their lanes, which are due since they were made.
WITH shown AS (
    SELECT part.*
    FROM unnest(ARRAY['pending', 'acknowledged', 'abandoned', 'superseded']) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT {delivery_columns}, deliveries.variant
        FROM deliveries
        WHERE deliveries.account_id COLLATE "POSIX" = :account_id
            AND deliveries.endpoint_id = :endpoint_id
            AND deliveries.state = wanted.state
            AND (created_at, order_id, sequence)
                > (:after_created, :after_order, :after_sequence::bigint)
        ORDER BY deliveries.created_at, deliveries.order_id, deliveries.sequence
        LIMIT :limit
    ) AS part
), free AS (
    SELECT {in_lane}, lanes.variant
    FROM lanes
    WHERE lanes.account_id COLLATE "POSIX" = :account_id
        AND lanes.endpoint_id = :endpoint_id
        AND lanes.leased_until IS NULL
        AND lanes.due_at >= :after_created
        AND lanes.status IS NOT NULL
        AND (created_at, order_id, sequence)
            > (:after_created, :after_order, :after_sequence::bigint)
    ORDER BY lanes.due_at, lanes.order_id, lanes.sequence
    LIMIT :limit
), leased AS (
    SELECT {in_lane}, lanes.variant
    FROM lanes
    WHERE lanes.account_id COLLATE "POSIX" = :account_id
        AND lanes.endpoint_id = :endpoint_id
        AND lanes.leased_until > 0
        AND lanes.status IS NOT NULL
        AND (created_at, order_id, sequence)
            > (:after_created, :after_order, :after_sequence::bigint)
), found AS (
    SELECT *
    FROM (TABLE shown UNION ALL TABLE free UNION ALL TABLE leased) AS each
    ORDER BY each.created_at, each.order_id, each.sequence
    LIMIT :limit
)
SELECT
    found.account_id, found.order_id, found.endpoint_id, found.sequence, found.previous,
    found.status, found.state, found.created_at, found.attempts, found.tries, found.replay,
    found.due_at, found.settled_at, found.outcome, bodies.content_type, bodies.content
FROM found
-- A body is gone when the order's personal data was erased.
LEFT JOIN LATERAL (
    SELECT bodies.content_type, bodies.content FROM bodies
    WHERE bodies.account_id = :account_id
        AND bodies.order_id = found.order_id
        AND bodies.sequence = found.sequence
        AND bodies.variant = found.variant
    OFFSET 0
) AS bodies ON true
ORDER BY found.created_at, found.order_id, found.sequence;

-- name: told
SELECT
    found.account_id, found.order_id, found.endpoint_id, found.sequence, found.previous,
    found.status, found.state, found.created_at, found.attempts, found.tries, found.replay,
    found.due_at, found.settled_at, found.outcome, found.pending, found.abandoned,
    found.superseded, found.waits_since
FROM (
    SELECT
        *,
        row_number() OVER (PARTITION BY endpoint_id ORDER BY sequence DESC) AS place,
        count(*) FILTER (WHERE state = 'pending') OVER every_one AS pending,
        count(*) FILTER (WHERE state = 'abandoned') OVER every_one AS abandoned,
        count(*) FILTER (WHERE state = 'superseded') OVER every_one AS superseded,
        min(created_at) FILTER (WHERE state = 'pending') OVER every_one AS waits_since
    FROM (
        SELECT {delivery_columns}
        FROM deliveries
        WHERE deliveries.account_id = :account_id AND deliveries.order_id = :order_id
        UNION ALL
        SELECT lane.*
        FROM endpoints
        CROSS JOIN LATERAL (
            SELECT {in_lane}
            FROM lanes
            WHERE lanes.account_id = :account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.order_id = :order_id
                AND lanes.status IS NOT NULL
            OFFSET 0
        ) AS lane
        WHERE endpoints.account_id = :account_id
    ) AS each
    WINDOW every_one AS (PARTITION BY endpoint_id)
) AS found
WHERE found.place = 1
ORDER BY found.endpoint_id;

-- name: acknowledged_last
SELECT last.endpoint_id, last.sequence, told.status, last.started_at
FROM (
    SELECT
        attempts.endpoint_id, attempts.sequence, attempts.started_at,
        row_number() OVER (
            PARTITION BY attempts.endpoint_id
            ORDER BY attempts.started_at DESC, attempts.sequence DESC, attempts.attempt DESC
        ) AS place
    FROM attempts
    WHERE attempts.account_id = :account_id
        AND attempts.order_id = :order_id
        AND attempts.outcome = 'acknowledged'
) AS last
CROSS JOIN LATERAL (
    SELECT deliveries.status FROM deliveries
    WHERE deliveries.account_id = :account_id
        AND deliveries.order_id = :order_id
        AND deliveries.endpoint_id = last.endpoint_id
        AND deliveries.sequence = last.sequence
    OFFSET 0
) AS told
WHERE last.place = 1;
