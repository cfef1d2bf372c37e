-- What waits to be sent. The queue is read from end to end, which is faster than finding a million
-- lanes one by one, and what is on record is counted from its index no further than asked.
-- Whatever is pending is of an endpoint that is there, and in its lane or on record.

-- name: backlog
SELECT
    endpoints.state,
    least(recorded.oldest_at, queued.oldest_at) AS oldest_at,
    recorded.pending + coalesce(queued.pending, 0) AS pending,
    queued.oldest_due_at,
    coalesce(queued.due, 0) AS due
FROM endpoints
LEFT JOIN (
    SELECT
        lanes.account_id, lanes.endpoint_id,
        count(lanes.status) AS pending,
        min(lanes.created_at) AS oldest_at,
        count(*) FILTER (WHERE lanes.leased_until IS NULL AND lanes.due_at <= :now) AS due,
        min(lanes.due_at) FILTER (WHERE lanes.leased_until IS NULL AND lanes.due_at <= :now)
            AS oldest_due_at
    FROM lanes
    GROUP BY lanes.account_id, lanes.endpoint_id
) AS queued
    ON queued.account_id = endpoints.account_id AND queued.endpoint_id = endpoints.endpoint_id
CROSS JOIN LATERAL (
    SELECT
        (
            SELECT min(deliveries.created_at)
            FROM deliveries
            WHERE deliveries.account_id COLLATE "POSIX" = endpoints.account_id
                AND deliveries.endpoint_id = endpoints.endpoint_id
                AND deliveries.state = 'pending'
        ) AS oldest_at,
        (
            SELECT count(*)
            FROM (
                SELECT
                FROM deliveries
                WHERE deliveries.account_id COLLATE "POSIX" = endpoints.account_id
                    AND deliveries.endpoint_id = endpoints.endpoint_id
                    AND deliveries.state = 'pending'
                LIMIT :most
            ) AS counted
        ) AS pending
) AS recorded;
