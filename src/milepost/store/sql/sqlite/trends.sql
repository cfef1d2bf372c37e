-- Numbers over time on SQLite, where they differ from other databases.

-- name: pending_of_account
SELECT count(*), min(created_at)
FROM (
    SELECT created_at
    FROM deliveries INDEXED BY deliveries_open
    WHERE account_id = :account_id AND state = 'pending' AND state <> 'acknowledged'
    ORDER BY created_at
    LIMIT :most
) AS pending;

-- name: waiting_by_endpoint
SELECT
    endpoints.endpoint_id,
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM lanes INDEXED BY lanes_due
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
            LIMIT :most
        )
    ),
    (
        SELECT min(due_at)
        FROM lanes INDEXED BY lanes_due
        WHERE lanes.account_id = endpoints.account_id
            AND lanes.endpoint_id = endpoints.endpoint_id
            AND leased_until IS NULL
            AND due_at IS NOT NULL
    )
FROM endpoints
WHERE endpoints.account_id = :account_id;
