-- Endpoints' records on SQLite, where they differ from other databases.

-- name: healths
WITH wanted (position, account_id, endpoint_id) AS (VALUES (?, ?, ?))
SELECT wanted.position, {health_columns}
FROM wanted
CROSS JOIN endpoint_health
    ON endpoint_health.account_id = wanted.account_id
    AND endpoint_health.endpoint_id = wanted.endpoint_id;

-- name: put_healths
WITH judged (
    account_id, endpoint_id, failures, failing_since, last_success_at, last_failure_at,
    last_outcome, failing, abandoned, abandoned_since, abandoned_told_at
) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE endpoint_health
SET failures = judged.failures,
    failing_since = judged.failing_since,
    last_success_at = judged.last_success_at,
    last_failure_at = judged.last_failure_at,
    last_outcome = judged.last_outcome,
    failing = judged.failing,
    abandoned = judged.abandoned,
    abandoned_since = judged.abandoned_since,
    abandoned_told_at = judged.abandoned_told_at
FROM judged
WHERE endpoint_health.account_id = judged.account_id
    AND endpoint_health.endpoint_id = judged.endpoint_id;

-- name: untold
SELECT account_id, endpoint_id
FROM endpoint_health INDEXED BY endpoint_health_untold
WHERE abandoned > 0 AND (abandoned_told_at IS NULL OR abandoned_told_at <= :before);
