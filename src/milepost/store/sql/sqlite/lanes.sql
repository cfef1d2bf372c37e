-- Lanes on SQLite: claiming their heads, settling what was sent, and one delivery by hand. An
-- index is named where SQLite, which keeps no statistics here, would walk through all of an
-- endpoint's lanes to find the few that are leased.

-- name: endpoints_with_work
SELECT endpoints.account_id, endpoints.endpoint_id
FROM endpoints
WHERE endpoints.state = 'active'
    AND (
        EXISTS (
            SELECT 1
            FROM lanes
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until IS NULL
                AND lanes.due_at <= :now
        )
        OR EXISTS (
            SELECT 1
            FROM lanes
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.leased_until <= :now
        )
    );

-- name: due_lanes
SELECT due_at, order_id, sequence
FROM lanes
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND leased_until IS NULL
    AND due_at <= :now
ORDER BY due_at
LIMIT :limit;

-- name: lanes_with_old_leases
SELECT due_at, order_id, sequence
FROM lanes
WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND leased_until <= :now
ORDER BY due_at
LIMIT :limit;

-- name: heads
WITH wanted (position, account_id, order_id, endpoint_id, sequence) AS (VALUES (?, ?, ?, ?, ?))
SELECT
    wanted.position,
    deliveries.due_at,
    deliveries.order_id,
    deliveries.sequence,
    deliveries.previous,
    deliveries.attempts,
    deliveries.tries,
    deliveries.replay,
    bodies.content,
    bodies.content_type,
    deliveries.created_at
FROM wanted
CROSS JOIN deliveries
    ON deliveries.account_id = wanted.account_id
    AND deliveries.order_id = wanted.order_id
    AND deliveries.endpoint_id = wanted.endpoint_id
    AND deliveries.sequence = wanted.sequence
CROSS JOIN bodies
    ON bodies.account_id = deliveries.account_id
    AND bodies.order_id = deliveries.order_id
    AND bodies.sequence = deliveries.sequence
    AND bodies.variant = deliveries.variant;

-- name: standing_of
-- Only where the lease is still the owner's and nobody has settled the delivery since the claim:
-- the lane's head, when that is due, and the next delivery after the settled one.
WITH settled (position, account_id, order_id, endpoint_id, sequence, attempts, owner) AS (
    VALUES (?, ?, ?, ?, ?, ?, ?)
)
SELECT
    settled.position,
    lanes.sequence,
    lanes.due_at,
    (
        SELECT min(later.sequence)
        FROM deliveries AS later
        WHERE later.account_id = settled.account_id
            AND later.order_id = settled.order_id
            AND later.endpoint_id = settled.endpoint_id
            AND later.sequence > settled.sequence
            AND later.state = 'pending'
    )
FROM settled
CROSS JOIN lanes
    ON lanes.account_id = settled.account_id
    AND lanes.endpoint_id = settled.endpoint_id
    AND lanes.order_id = settled.order_id
    AND lanes.lease_owner = settled.owner
CROSS JOIN deliveries
    ON deliveries.account_id = settled.account_id
    AND deliveries.order_id = settled.order_id
    AND deliveries.endpoint_id = settled.endpoint_id
    AND deliveries.sequence = settled.sequence
    AND deliveries.attempts = settled.attempts
    AND deliveries.state = 'pending';

-- name: insert_attempts
INSERT INTO attempts (
    account_id, order_id, endpoint_id, sequence, attempt, replay, started_at, duration_ms,
    outcome, status, detail, response
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: settle_deliveries
WITH settled (
    account_id, order_id, endpoint_id, sequence, state, attempts, tries, due_at, settled_at,
    outcome
) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE deliveries
SET state = settled.state,
    attempts = settled.attempts,
    tries = settled.tries,
    due_at = settled.due_at,
    settled_at = settled.settled_at,
    outcome = settled.outcome
FROM settled
WHERE deliveries.account_id = settled.account_id
    AND deliveries.order_id = settled.order_id
    AND deliveries.endpoint_id = settled.endpoint_id
    AND deliveries.sequence = settled.sequence;

-- name: delete_lanes
WITH ended (account_id, endpoint_id, order_id) AS (VALUES (?, ?, ?))
DELETE FROM lanes
WHERE (account_id, endpoint_id, order_id) IN (
    -- Without a type of its own a value cannot be looked up in an index.
    SELECT CAST(account_id AS TEXT), CAST(endpoint_id AS TEXT), CAST(order_id AS TEXT) FROM ended
);

-- name: set_lanes
WITH lane (account_id, endpoint_id, order_id, sequence, due_at, lease_owner, leased_until) AS (
    VALUES (?, ?, ?, ?, ?, ?, ?)
)
UPDATE lanes
SET sequence = lane.sequence,
    due_at = lane.due_at,
    lease_owner = lane.lease_owner,
    leased_until = lane.leased_until
FROM lane
WHERE lanes.account_id = lane.account_id
    AND lanes.endpoint_id = lane.endpoint_id
    AND lanes.order_id = lane.order_id;

-- name: prolong_leases
WITH mine (account_id, endpoint_id, order_id, leased_until) AS (VALUES (?, ?, ?, ?))
UPDATE lanes
SET leased_until = mine.leased_until
FROM mine
WHERE lanes.account_id = mine.account_id
    AND lanes.endpoint_id = mine.endpoint_id
    AND lanes.order_id = mine.order_id;

-- name: renew_leases
UPDATE lanes INDEXED BY lanes_due
SET leased_until = :until
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND leased_until > 0
    AND lease_owner = :owner;

-- name: release_leases
UPDATE lanes INDEXED BY lanes_due
SET lease_owner = NULL, leased_until = NULL
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND leased_until > 0
    AND lease_owner = :owner -- if owner
;

-- name: next_variant
SELECT coalesce(max(variant) + 1, 0)
FROM bodies
WHERE account_id = :account_id AND order_id = :order_id AND sequence = :sequence;
