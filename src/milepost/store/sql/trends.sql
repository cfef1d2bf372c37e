-- Counts over time; `bigint` is a name for INTEGER on SQLite.

-- name: add_trend
INSERT INTO trends (
    account_id, endpoint_id, began_at,
    accepted, attempts, failed, acknowledged, abandoned, within_100ms, within_1s, within_10s,
    within_1min, within_10min, within_1h, later
) VALUES (
    :account_id, :endpoint_id, :began_at,
    :accepted, :attempts, :failed, :acknowledged, :abandoned, :within_100ms, :within_1s,
    :within_10s, :within_1min, :within_10min, :within_1h, :later
)
ON CONFLICT (account_id, began_at, endpoint_id) DO UPDATE
SET accepted = trends.accepted + excluded.accepted,
    attempts = trends.attempts + excluded.attempts,
    failed = trends.failed + excluded.failed,
    acknowledged = trends.acknowledged + excluded.acknowledged,
    abandoned = trends.abandoned + excluded.abandoned,
    within_100ms = trends.within_100ms + excluded.within_100ms,
    within_1s = trends.within_1s + excluded.within_1s,
    within_10s = trends.within_10s + excluded.within_10s,
    within_1min = trends.within_1min + excluded.within_1min,
    within_10min = trends.within_10min + excluded.within_10min,
    within_1h = trends.within_1h + excluded.within_1h,
    later = trends.later + excluded.later;

-- name: trends_of_account
SELECT began_at,
    CAST(sum(accepted) AS bigint), CAST(sum(attempts) AS bigint), CAST(sum(failed) AS bigint),
    CAST(sum(acknowledged) AS bigint), CAST(sum(abandoned) AS bigint),
    CAST(sum(within_100ms) AS bigint), CAST(sum(within_1s) AS bigint),
    CAST(sum(within_10s) AS bigint), CAST(sum(within_1min) AS bigint),
    CAST(sum(within_10min) AS bigint), CAST(sum(within_1h) AS bigint),
    CAST(sum(later) AS bigint)
FROM trends
WHERE account_id = :account_id AND began_at >= :since
GROUP BY began_at
ORDER BY began_at;

-- name: trends_of_endpoint
SELECT began_at,
    accepted, attempts, failed, acknowledged, abandoned, within_100ms, within_1s, within_10s,
    within_1min, within_10min, within_1h, later
FROM trends
WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND began_at >= :since
ORDER BY began_at;

-- name: trends_by_endpoint
SELECT endpoint_id,
    CAST(sum(accepted) AS bigint), CAST(sum(attempts) AS bigint), CAST(sum(failed) AS bigint),
    CAST(sum(acknowledged) AS bigint), CAST(sum(abandoned) AS bigint),
    CAST(sum(within_100ms) AS bigint), CAST(sum(within_1s) AS bigint),
    CAST(sum(within_10s) AS bigint), CAST(sum(within_1min) AS bigint),
    CAST(sum(within_10min) AS bigint), CAST(sum(within_1h) AS bigint),
    CAST(sum(later) AS bigint)
FROM trends
WHERE account_id = :account_id AND began_at >= :since
GROUP BY endpoint_id;

-- name: state_counts
SELECT state, count(*)
FROM orders
WHERE account_id = :account_id AND order_id < 'tst_'
GROUP BY state;

-- name: forget_trends
DELETE FROM trends
WHERE account_id = :account_id AND began_at < :before;

-- name: pending_of_account
SELECT count(*), min(created_at)
FROM (
    SELECT created_at
    FROM deliveries
    WHERE account_id = :account_id AND state = 'pending'
    ORDER BY created_at
    LIMIT :most
) AS pending;
