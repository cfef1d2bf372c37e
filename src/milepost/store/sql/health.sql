-- How endpoints are doing, one row for each from when it is opened until it is removed.

-- part: health_columns
endpoint_health.failures, endpoint_health.failing_since, endpoint_health.last_success_at,
endpoint_health.last_failure_at, endpoint_health.last_outcome, endpoint_health.failing,
endpoint_health.abandoned, endpoint_health.abandoned_since, endpoint_health.abandoned_told_at

-- name: open_health
INSERT INTO endpoint_health (account_id, endpoint_id)
VALUES (:account_id, :endpoint_id)
ON CONFLICT (account_id, endpoint_id) DO NOTHING;

-- name: drop_health
DELETE FROM endpoint_health
WHERE account_id = :account_id AND endpoint_id = :endpoint_id;

-- name: rest_health
-- What failed before an endpoint was resumed does not count against it.
UPDATE endpoint_health
SET failures = 0, failing_since = NULL, failing = 0
WHERE account_id = :account_id AND endpoint_id = :endpoint_id;

-- name: number_notice
UPDATE endpoint_health
SET notices = notices + 1
WHERE account_id = :account_id AND endpoint_id = :endpoint_id
RETURNING notices;

-- name: health_of_account
SELECT endpoint_health.endpoint_id, {health_columns}
FROM endpoint_health
WHERE endpoint_health.account_id = :account_id;

-- name: paused_endpoints
SELECT endpoints.endpoint_id FROM endpoints WHERE endpoints.state = 'paused';

-- name: count_conditions
SELECT endpoints.state, endpoint_health.failing, count(*)
FROM endpoints
LEFT JOIN endpoint_health
    ON endpoint_health.account_id = endpoints.account_id
    AND endpoint_health.endpoint_id = endpoints.endpoint_id
GROUP BY endpoints.state, endpoint_health.failing;
