-- What waits to be sent, counted from indexes alone and never further than asked. Whatever is
-- pending is of an endpoint that is there, and in its lane or on record.

-- name: backlog
SELECT
    endpoints.state,
    least(
        (
            SELECT min(deliveries.created_at)
            FROM deliveries
            WHERE deliveries.account_id COLLATE "POSIX" = endpoints.account_id
                AND deliveries.endpoint_id = endpoints.endpoint_id
                AND deliveries.state = 'pending'
        ),
        (
            SELECT lanes.created_at
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until IS NULL
                AND lanes.status IS NOT NULL
            ORDER BY lanes.due_at
            LIMIT 1
        ),
        (
            SELECT min(lanes.created_at)
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until > 0
        )
    ) AS oldest_at,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM deliveries
            WHERE deliveries.account_id COLLATE "POSIX" = endpoints.account_id
                AND deliveries.endpoint_id = endpoints.endpoint_id
                AND deliveries.state = 'pending'
            LIMIT :most
        ) AS counted
    ) + (
        SELECT count(*)
        FROM (
            SELECT
            FROM lanes
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.status IS NOT NULL
            LIMIT :most
        ) AS counted
    ) AS pending,
    (
        SELECT min(lanes.due_at)
        FROM lanes
        WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
            AND lanes.endpoint_id = endpoints.endpoint_id
            AND lanes.leased_until IS NULL
            AND lanes.due_at <= :now
    ) AS oldest_due_at,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM lanes
            WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until IS NULL
                AND lanes.due_at <= :now
            LIMIT :most
        ) AS counted
    ) AS due
FROM endpoints;
