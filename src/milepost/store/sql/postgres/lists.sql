-- Lists on PostgreSQL, page by page. An index holds the rows of one store and state, or of one
-- endpoint and state, in the order of the list; a list of more than that takes the first rows of
-- each such part and then the first of all. Which stores and endpoints there are is found by
-- skipping through the index, one step for each.

-- part: stores_that_have_orders
RECURSIVE named (store) AS (
    (
        SELECT orders.store
        FROM orders
        WHERE orders.account_id COLLATE "ucs_basic" = :account_id
        ORDER BY orders.account_id COLLATE "ucs_basic", orders.store
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT orders.store
        FROM orders
        WHERE orders.account_id COLLATE "ucs_basic" = :account_id AND orders.store > named.store
        ORDER BY orders.account_id COLLATE "ucs_basic", orders.store
        LIMIT 1
    )
    FROM named
    WHERE named.store IS NOT NULL
)

-- part: endpoints_that_have_deliveries
RECURSIVE named (endpoint_id) AS (
    (
        SELECT deliveries.endpoint_id
        FROM deliveries
        WHERE deliveries.account_id COLLATE "POSIX" = :account_id
        ORDER BY deliveries.account_id COLLATE "POSIX", deliveries.endpoint_id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT deliveries.endpoint_id
        FROM deliveries
        WHERE deliveries.account_id COLLATE "POSIX" = :account_id
            AND deliveries.endpoint_id > named.endpoint_id
        ORDER BY deliveries.account_id COLLATE "POSIX", deliveries.endpoint_id
        LIMIT 1
    )
    FROM named
    WHERE named.endpoint_id IS NOT NULL
)

-- name: find_order_ids
SELECT order_id FROM orders WHERE account_id = :account_id AND order_id = :text
UNION
SELECT order_id FROM orders
WHERE account_id COLLATE "POSIX" = :account_id AND order_key = :text
UNION
SELECT order_id FROM orders
WHERE account_id COLLATE "ucs_basic" = :account_id AND order_number = :text
UNION
SELECT order_id FROM parcels
WHERE account_id COLLATE "POSIX" = :account_id AND tracking_number = :text
LIMIT 50;

-- name: orders_page
SELECT {order_columns}
FROM orders
CROSS JOIN LATERAL (
    SELECT order_contents.content FROM order_contents
    WHERE order_contents.account_id = orders.account_id
        AND order_contents.order_id = orders.order_id
    OFFSET 0
) AS order_contents
WHERE orders.account_id = :account_id
    AND orders.order_id < :after_order -- if after_order
ORDER BY orders.order_id DESC
LIMIT :limit;

-- name: orders_page_in_parts
WITH {stores_that_have_orders}
SELECT {order_columns}
FROM (
    SELECT part.order_id
    FROM named
    CROSS JOIN unnest(:states::text[]) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT orders.order_id
        FROM orders
        WHERE orders.account_id COLLATE "ucs_basic" = :account_id
            AND orders.store = named.store
            AND orders.state = wanted.state
            AND orders.order_id < :after_order -- if after_order
        ORDER BY orders.order_id DESC
        LIMIT :limit
    ) AS part
    WHERE named.store IS NOT NULL
        AND named.store = :store -- if store
    ORDER BY part.order_id DESC
    LIMIT :limit
) AS shown
CROSS JOIN LATERAL (
    SELECT * FROM orders
    WHERE orders.account_id = :account_id AND orders.order_id = shown.order_id
    OFFSET 0
) AS orders
CROSS JOIN LATERAL (
    SELECT order_contents.content FROM order_contents
    WHERE order_contents.account_id = orders.account_id
        AND order_contents.order_id = orders.order_id
    OFFSET 0
) AS order_contents
ORDER BY orders.order_id DESC;

-- name: quarantine_page
SELECT {quarantine_columns}
FROM quarantine
WHERE account_id COLLATE "ucs_basic" = :account_id
    AND verdict = :verdict -- if verdict
    AND verdict NOT IN ('applied', 'duplicate') -- if every_verdict
    AND (received_at, update_id) < (:after_received, :after_update) -- if after_update
ORDER BY received_at DESC, update_id DESC
LIMIT :limit;

-- part: in_lane
lanes.account_id, lanes.order_id, lanes.endpoint_id, lanes.sequence, lanes.previous,
lanes.status, 'pending' AS state, lanes.created_at, 0 AS attempts, 0 AS tries, 0 AS replay,
lanes.created_at AS due_at, NULL::bigint AS settled_at, NULL AS outcome

-- name: one_delivery
SELECT found.*, bodies.content
FROM (
    SELECT {delivery_columns}, deliveries.variant
    FROM deliveries
    WHERE deliveries.account_id = :account_id
        AND deliveries.order_id = :order_id
        AND deliveries.endpoint_id = :endpoint_id
        AND deliveries.sequence = :sequence
    UNION ALL
    SELECT {in_lane}, lanes.variant
    FROM lanes
    WHERE lanes.account_id = :account_id
        AND lanes.endpoint_id = :endpoint_id
        AND lanes.order_id = :order_id
        AND lanes.sequence = :sequence
        AND lanes.status IS NOT NULL
) AS found
-- A body is gone when the order's personal data was erased.
LEFT JOIN LATERAL (
    SELECT bodies.content FROM bodies
    WHERE bodies.account_id = :account_id
        AND bodies.order_id = :order_id
        AND bodies.sequence = :sequence
        AND bodies.variant = found.variant
    OFFSET 0
) AS bodies ON true;

-- name: deliveries_page_of_order
SELECT *
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
) AS found
WHERE found.state = ANY (:states::text[])
    AND found.endpoint_id = :endpoint_id -- if endpoint_id
    AND (found.created_at, found.order_id, found.sequence, found.endpoint_id) -- if after_endpoint
        < (:after_created, :after_order, -- if after_endpoint
            :after_sequence::bigint, :after_endpoint) -- if after_endpoint
ORDER BY found.created_at DESC, found.order_id DESC, found.sequence DESC, found.endpoint_id DESC
LIMIT :limit;

-- name: deliveries_page_in_parts
-- Besides those on record, the heads that are in their lanes: due since they were created, and so
-- in the order of the list; those that are leased are few.
WITH {endpoints_that_have_deliveries}, shown AS (
    SELECT part.*
    FROM named
    CROSS JOIN unnest(:states::text[]) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT {delivery_columns}
        FROM deliveries
        WHERE deliveries.account_id COLLATE "POSIX" = :account_id
            AND deliveries.endpoint_id = named.endpoint_id
            AND deliveries.state = wanted.state
            AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
                < (:after_created, :after_order, -- if after_endpoint
                    :after_sequence::bigint, :after_endpoint) -- if after_endpoint
        ORDER BY deliveries.created_at DESC, deliveries.order_id DESC, deliveries.sequence DESC
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
                AND lanes.due_at <= :after_created -- if after_endpoint
                AND lanes.status IS NOT NULL
                AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
                    < (:after_created, :after_order, -- if after_endpoint
                        :after_sequence::bigint, :after_endpoint) -- if after_endpoint
            ORDER BY lanes.due_at DESC, lanes.order_id DESC, lanes.sequence DESC
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
                    < (:after_created, :after_order, -- if after_endpoint
                        :after_sequence::bigint, :after_endpoint) -- if after_endpoint
        ) AS leased
    ) AS lane
    WHERE endpoints.account_id = :account_id
        AND 'pending' = ANY (:states::text[])
        AND endpoints.endpoint_id = :endpoint_id -- if endpoint_id
)
SELECT *
FROM (TABLE shown UNION ALL TABLE queued) AS found
ORDER BY found.created_at DESC, found.order_id DESC, found.sequence DESC, found.endpoint_id DESC
LIMIT :limit;

-- name: count_by_state
SELECT found.state, sum(found.number)::bigint
FROM (
    SELECT deliveries.state, count(*) AS number
    FROM deliveries
    WHERE deliveries.account_id = :account_id -- if account_id
    GROUP BY deliveries.state
    UNION ALL
    SELECT 'pending', count(*)
    FROM lanes
    WHERE lanes.status IS NOT NULL
        AND lanes.account_id = :account_id -- if account_id
) AS found
GROUP BY found.state;
