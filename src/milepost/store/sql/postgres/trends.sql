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
