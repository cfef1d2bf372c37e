-- Numbers over time on SQLite, where they differ from other databases.

-- name: pending_of_account
SELECT count(*), min(created_at)
FROM (
    SELECT created_at
    FROM deliveries
    WHERE account_id = :account_id AND state = 'pending'
    ORDER BY created_at
    LIMIT :most
) AS pending;
