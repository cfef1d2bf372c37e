-- Endpoints' records on PostgreSQL, where they differ from other databases. Whoever changes one has
-- the account's setup shared, or held where an endpoint is paused, and locks them by their key.

-- name: setup_version
SELECT setups.version FROM setups WHERE setups.account_id = :account_id;

-- name: healths
SELECT wanted.position, health.*
FROM unnest(texts($1), texts($2)) WITH ORDINALITY AS wanted (account_id, endpoint_id, position)
CROSS JOIN LATERAL (
    SELECT {health_columns}
    FROM endpoint_health
    WHERE endpoint_health.account_id = wanted.account_id
        AND endpoint_health.endpoint_id = wanted.endpoint_id
    FOR UPDATE
) AS health;

-- name: put_healths
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
FROM unnest(
    texts($1), texts($2), $3::text::integer[], $4::text::bigint[], $5::text::bigint[],
    $6::text::bigint[], texts($7), $8::text::smallint[], $9::text::integer[],
    $10::text::bigint[], $11::text::bigint[]
) AS judged (
    account_id, endpoint_id, failures, failing_since, last_success_at, last_failure_at,
    last_outcome, failing, abandoned, abandoned_since, abandoned_told_at
)
WHERE endpoint_health.account_id = ANY (ARRAY[judged.account_id])
    AND endpoint_health.endpoint_id = judged.endpoint_id;

-- name: untold
SELECT account_id, endpoint_id
FROM endpoint_health
WHERE abandoned > 0 AND (abandoned_told_at IS NULL OR abandoned_told_at <= :before);
