-- Intake on SQLite: the rows of a batch come as one VALUES list, and their position in it with
-- them where the answer has to be told apart.

-- name: registry_version
SELECT version
FROM registry;

-- name: orders_by_id
WITH wanted (position, account_id, order_id) AS (VALUES (?, ?, ?))
SELECT wanted.position, {order_columns}
FROM wanted
CROSS JOIN orders
    ON orders.account_id = wanted.account_id AND orders.order_id = wanted.order_id
CROSS JOIN order_contents
    ON order_contents.account_id = orders.account_id
    AND order_contents.order_id = orders.order_id;

-- name: orders_by_key
WITH wanted (position, account_id, store, order_key) AS (VALUES (?, ?, ?, ?))
SELECT wanted.position, {order_columns}
FROM wanted
CROSS JOIN orders
    ON orders.account_id = wanted.account_id
    AND orders.order_key = wanted.order_key
    AND orders.store = wanted.store
CROSS JOIN order_contents
    ON order_contents.account_id = orders.account_id
    AND order_contents.order_id = orders.order_id;

-- name: parcels_of
WITH wanted (account_id, order_id) AS (VALUES (?, ?))
SELECT parcels.account_id, parcels.order_id, {parcel_columns}
FROM wanted
CROSS JOIN parcels
    ON parcels.account_id = wanted.account_id AND parcels.order_id = wanted.order_id
ORDER BY parcels.position;

-- name: waiting_for
WITH wanted (account_id, store, order_key) AS (VALUES (?, ?, ?))
SELECT {quarantine_columns}
FROM wanted
CROSS JOIN quarantine INDEXED BY quarantine_waiting
    ON quarantine.account_id = wanted.account_id
    AND quarantine.store = wanted.store
    AND quarantine.order_key = wanted.order_key
    AND quarantine.verdict = 'orphan'
    AND quarantine.released_at IS NULL
ORDER BY quarantine.received_at, quarantine.update_id;

-- name: insert_orders
INSERT INTO orders (
    account_id, order_id, store, order_key, order_number, state, state_at, sequence, created_at,
    updated_at, reason, previous_state, source_sequence, updating, shipped_at,
    order_type, told_by, precedence, corrections
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_orders
WITH changed (
    account_id, order_id, store, order_key, order_number, state, state_at, sequence, created_at,
    updated_at, reason, previous_state, source_sequence, updating, shipped_at,
    order_type, told_by, precedence, corrections
) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE orders
SET order_number = changed.order_number,
    state = changed.state,
    state_at = changed.state_at,
    sequence = changed.sequence,
    updated_at = changed.updated_at,
    reason = changed.reason,
    previous_state = changed.previous_state,
    source_sequence = changed.source_sequence,
    updating = changed.updating,
    shipped_at = changed.shipped_at,
    order_type = changed.order_type,
    told_by = changed.told_by,
    precedence = changed.precedence,
    corrections = changed.corrections
FROM changed
WHERE orders.account_id = changed.account_id AND orders.order_id = changed.order_id;

-- name: put_contents
INSERT INTO order_contents (account_id, order_id, content)
VALUES (?, ?, ?)
ON CONFLICT (account_id, order_id) DO UPDATE SET content = excluded.content;

-- name: put_parcels
INSERT INTO parcels (
    account_id, order_id, parcel, position, state, state_at, source_sequence, carrier,
    carrier_service, tracking_number, tracking_url, created_at, details, told_by, precedence
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, order_id, parcel) DO UPDATE
SET position = excluded.position,
    state = excluded.state,
    state_at = excluded.state_at,
    source_sequence = excluded.source_sequence,
    carrier = excluded.carrier,
    carrier_service = excluded.carrier_service,
    tracking_number = excluded.tracking_number,
    tracking_url = excluded.tracking_url,
    created_at = excluded.created_at,
    details = excluded.details,
    told_by = excluded.told_by,
    precedence = excluded.precedence;

-- name: delete_parcels
WITH gone (account_id, order_id, parcel) AS (VALUES (?, ?, ?))
DELETE FROM parcels
WHERE (account_id, order_id, parcel) IN (
    -- Without a type of its own a value cannot be looked up in an index.
    SELECT CAST(account_id AS TEXT), CAST(order_id AS TEXT), CAST(parcel AS TEXT) FROM gone
);

-- name: insert_events
INSERT INTO order_events (
    account_id, order_id, sequence, type, state, previous_state, source, occurred_at, received_at,
    reason, raw, parcel, parcel_state, skipped, correction, note
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_rehearsals
INSERT INTO rehearsals (account_id, order_id, mode, step, due_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (account_id, order_id) DO UPDATE
SET mode = excluded.mode, step = excluded.step, due_at = excluded.due_at, claimed = 0;

-- name: put_quarantined
INSERT INTO quarantine (
    account_id, update_id, verdict, why, source, store, order_key, order_id, occurred_at,
    received_at, content, released_at
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account_id, update_id) DO UPDATE
SET verdict = excluded.verdict,
    why = excluded.why,
    store = excluded.store,
    order_key = excluded.order_key,
    order_id = excluded.order_id,
    content = excluded.content,
    released_at = excluded.released_at;

-- name: lanes_before
-- The latest delivery of each lane, and whether the lane has pending ones already.
WITH wanted (position, account_id, order_id, endpoint_id) AS (VALUES (?, ?, ?, ?))
SELECT
    wanted.position,
    latest.sequence,
    latest.state,
    EXISTS (
        SELECT 1
        FROM lanes
        WHERE lanes.account_id = wanted.account_id
            AND lanes.endpoint_id = wanted.endpoint_id
            AND lanes.order_id = wanted.order_id
    )
FROM wanted
CROSS JOIN deliveries AS latest
    ON latest.account_id = wanted.account_id
    AND latest.order_id = wanted.order_id
    AND latest.endpoint_id = wanted.endpoint_id
    AND latest.sequence = (
        SELECT max(sequence)
        FROM deliveries
        WHERE deliveries.account_id = wanted.account_id
            AND deliveries.order_id = wanted.order_id
            AND deliveries.endpoint_id = wanted.endpoint_id
    );

-- name: insert_deliveries
INSERT INTO deliveries (
    account_id, order_id, endpoint_id, sequence, previous, status, state, created_at, attempts,
    tries, replay, due_at, variant
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_bodies
INSERT INTO bodies (account_id, order_id, sequence, variant, content_type, content)
VALUES (?, ?, ?, ?, ?, ?);

-- name: insert_lanes
INSERT INTO lanes (
    account_id, endpoint_id, order_id, sequence, due_at, lease_owner, leased_until
)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: supersede
-- What waits in a lane before the newest, unless it was begun or asked for again. Of a lane that is
-- leased the first of these is spared: it may be on its way, and then it is behind whatever an
-- operator has sent again since.
WITH newest (now, account_id, order_id, endpoint_id, sequence) AS (VALUES (?, ?, ?, ?, ?))
UPDATE deliveries
SET state = 'superseded', due_at = NULL, settled_at = newest.now
FROM newest
WHERE deliveries.account_id = newest.account_id
    AND deliveries.order_id = newest.order_id
    AND deliveries.endpoint_id = newest.endpoint_id
    AND deliveries.sequence < newest.sequence
    AND deliveries.state = 'pending'
    AND deliveries.attempts = 0
    AND deliveries.replay = 0
    AND NOT (
        EXISTS (
            SELECT 1
            FROM lanes
            WHERE lanes.account_id = newest.account_id
                AND lanes.endpoint_id = newest.endpoint_id
                AND lanes.order_id = newest.order_id
                AND lanes.lease_owner IS NOT NULL
        )
        AND deliveries.sequence = (
            SELECT min(first.sequence)
            FROM deliveries AS first
            WHERE first.account_id = newest.account_id
                AND first.order_id = newest.order_id
                AND first.endpoint_id = newest.endpoint_id
                AND first.state = 'pending'
                AND first.replay = 0
        )
    );

-- name: move_past_superseded
-- The head of a lane that nobody has leased is the first that is pending; a held lane stays so.
WITH lane (account_id, endpoint_id, order_id) AS (VALUES (?, ?, ?))
UPDATE lanes
SET sequence = head.sequence,
    due_at = CASE WHEN lanes.due_at IS NOT NULL THEN head.due_at END
FROM lane
CROSS JOIN deliveries AS head
    ON head.account_id = lane.account_id
    AND head.order_id = lane.order_id
    AND head.endpoint_id = lane.endpoint_id
    AND head.sequence = (
        SELECT min(first.sequence)
        FROM deliveries AS first
        WHERE first.account_id = lane.account_id
            AND first.order_id = lane.order_id
            AND first.endpoint_id = lane.endpoint_id
            AND first.state = 'pending'
    )
WHERE lanes.account_id = lane.account_id
    AND lanes.endpoint_id = lane.endpoint_id
    AND lanes.order_id = lane.order_id
    AND lanes.lease_owner IS NULL;
