-- Counts over time; `bigint` is a name for INTEGER on SQLite.

-- name: add_trend
INSERT INTO trends (
    account_id, endpoint_id, began_at,
    accepted, attempts, failed, acknowledged, abandoned, within_tenth, within_second,
    within_ten_seconds, within_minute, within_ten_minutes, within_hour, later
) VALUES (
    :account_id, :endpoint_id, :began_at,
    :accepted, :attempts, :failed, :acknowledged, :abandoned, :within_tenth, :within_second,
    :within_ten_seconds, :within_minute, :within_ten_minutes, :within_hour, :later
)
ON CONFLICT (account_id, began_at, endpoint_id) DO UPDATE
SET accepted = trends.accepted + excluded.accepted,
    attempts = trends.attempts + excluded.attempts,
    failed = trends.failed + excluded.failed,
    acknowledged = trends.acknowledged + excluded.acknowledged,
    abandoned = trends.abandoned + excluded.abandoned,
    within_tenth = trends.within_tenth + excluded.within_tenth,
    within_second = trends.within_second + excluded.within_second,
    within_ten_seconds = trends.within_ten_seconds + excluded.within_ten_seconds,
    within_minute = trends.within_minute + excluded.within_minute,
    within_ten_minutes = trends.within_ten_minutes + excluded.within_ten_minutes,
    within_hour = trends.within_hour + excluded.within_hour,
    later = trends.later + excluded.later;

-- name: trends_of_account
SELECT began_at,
    CAST(sum(accepted) AS bigint), CAST(sum(attempts) AS bigint), CAST(sum(failed) AS bigint),
    CAST(sum(acknowledged) AS bigint), CAST(sum(abandoned) AS bigint),
    CAST(sum(within_tenth) AS bigint), CAST(sum(within_second) AS bigint),
    CAST(sum(within_ten_seconds) AS bigint), CAST(sum(within_minute) AS bigint),
    CAST(sum(within_ten_minutes) AS bigint), CAST(sum(within_hour) AS bigint),
    CAST(sum(later) AS bigint)
FROM trends
WHERE account_id = :account_id AND began_at >= :since
GROUP BY began_at
ORDER BY began_at;

-- name: trends_of_endpoint
SELECT began_at,
    accepted, attempts, failed, acknowledged, abandoned, within_tenth, within_second, within_ten_seconds,
    within_minute, within_ten_minutes, within_hour, later
FROM trends
WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND began_at >= :since
ORDER BY began_at;

-- name: trends_by_endpoint
SELECT endpoint_id,
    CAST(sum(accepted) AS bigint), CAST(sum(attempts) AS bigint), CAST(sum(failed) AS bigint),
    CAST(sum(acknowledged) AS bigint), CAST(sum(abandoned) AS bigint),
    CAST(sum(within_tenth) AS bigint), CAST(sum(within_second) AS bigint),
    CAST(sum(within_ten_seconds) AS bigint), CAST(sum(within_minute) AS bigint),
    CAST(sum(within_ten_minutes) AS bigint), CAST(sum(within_hour) AS bigint),
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
