-- What waits to be sent, counted from indexes alone and never further than asked.

-- name: backlog_of_accounts
SELECT
    (
        SELECT min(created_at)
        FROM deliveries INDEXED BY deliveries_open
        WHERE deliveries.account_id = accounts.account_id
            AND state = 'pending'
            AND state <> 'acknowledged'
    ),
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM deliveries INDEXED BY deliveries_open
            WHERE deliveries.account_id = accounts.account_id
                AND state = 'pending'
                AND state <> 'acknowledged'
            LIMIT :most
        )
    )
FROM accounts;

-- name: backlog_of_endpoints
SELECT
    endpoints.state,
    (
        SELECT min(due_at)
        FROM lanes INDEXED BY lanes_due
        WHERE lanes.account_id = endpoints.account_id
            AND lanes.endpoint_id = endpoints.endpoint_id
            AND leased_until IS NULL
            AND due_at <= :now
    ),
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM lanes INDEXED BY lanes_due
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND leased_until IS NULL
                AND due_at <= :now
            LIMIT :most
        )
    )
FROM endpoints;
