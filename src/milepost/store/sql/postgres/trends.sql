-- Numbers over time on PostgreSQL, where they differ from other databases.

-- What is pending is in its lane or on record. The oldest is that of those that were counted.
-- name: pending_of_account
SELECT least(:most, count(*)), min(created_at)
FROM (
    (
        SELECT created_at
        FROM deliveries
        WHERE account_id COLLATE "POSIX" = :account_id AND state = 'pending'
        LIMIT :most
    )
    UNION ALL
    (
        SELECT created_at
        FROM lanes
        WHERE account_id = :account_id AND status IS NOT NULL
        LIMIT :most
    )
) AS pending;

-- name: waiting_by_endpoint
SELECT
    endpoints.endpoint_id,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM lanes
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
            LIMIT :most
        ) AS counted
    ),
    (
        SELECT min(lanes.due_at)
        FROM lanes
        WHERE lanes.account_id COLLATE "POSIX" = endpoints.account_id
            AND lanes.endpoint_id = endpoints.endpoint_id
            AND lanes.leased_until IS NULL
            AND lanes.due_at IS NOT NULL
    )
FROM endpoints
WHERE endpoints.account_id = :account_id;
