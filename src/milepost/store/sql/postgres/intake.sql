-- Intake on PostgreSQL. Two statements make an intake: one that reads, and one that writes all of
-- it, put together from those of this file that the changes need. What each takes are columns: a
-- text of packed values (texts), a text that is an array of numbers, or an array of bytes.
--
-- Two ways of writing keep the planner to the one order that is right whatever it believes of the
-- tables, which is to look into the index of its key for each wanted row: LATERAL with OFFSET 0
-- where something is read, and "account_id = ANY (ARRAY[...])" where it is changed. The latter
-- cannot be merged by, so that reading the index from end to end is no alternative; an empty queue
-- would make it look like one.

-- part: accounts_before
-- How each account stands, as rows at position 0: the version of its setup, and whether updates
-- of it wait for their orders.
SELECT
    0 AS position, wanted.account_id, NULL AS order_id, NULL AS store, NULL AS order_key,
    NULL AS state, coalesce(setups.version, 0) AS state_at,
    (
        SELECT 1 FROM quarantine
        WHERE quarantine.account_id = wanted.account_id
            AND quarantine.verdict = 'orphan'
            AND quarantine.released_at IS NULL
        LIMIT 1
    ) AS sequence,
    NULL::bigint AS created_at, NULL::bigint AS updated_at, NULL AS reason,
    NULL AS previous_state, NULL::bigint AS source_sequence, NULL::smallint AS updating,
    NULL::bigint AS shipped_at, NULL::bytea AS content, NULL::bigint AS erased_at,
    NULL AS told_by, NULL::integer AS precedence, NULL AS corrections
FROM unnest(texts($1)) AS wanted (account_id)
LEFT JOIN LATERAL (
    SELECT setups.version FROM setups WHERE setups.account_id = wanted.account_id OFFSET 0
) AS setups ON true

-- name: orders_by_key
{accounts_before}
UNION ALL
SELECT wanted.position, {order_columns}
FROM unnest(texts($2), texts($3), texts($4))
    WITH ORDINALITY AS wanted (account_id, store, order_key, position)
CROSS JOIN LATERAL (
    SELECT * FROM orders
    WHERE orders.account_id COLLATE "POSIX" = wanted.account_id
        AND orders.order_key = wanted.order_key
        AND orders.store = wanted.store
    OFFSET 0
) AS orders
CROSS JOIN LATERAL (
    SELECT order_contents.content FROM order_contents
    WHERE order_contents.account_id = orders.account_id
        AND order_contents.order_id = orders.order_id
    OFFSET 0
) AS order_contents;

-- name: orders_by_id
{accounts_before}
UNION ALL
SELECT wanted.position, {order_columns}
FROM unnest(texts($2), texts($3)) WITH ORDINALITY AS wanted (account_id, order_id, position)
CROSS JOIN LATERAL (
    SELECT * FROM orders
    WHERE orders.account_id = wanted.account_id AND orders.order_id = wanted.order_id
    OFFSET 0
) AS orders
CROSS JOIN LATERAL (
    SELECT order_contents.content FROM order_contents
    WHERE order_contents.account_id = orders.account_id
        AND order_contents.order_id = orders.order_id
    OFFSET 0
) AS order_contents;

-- name: parcels_of
SELECT wanted.position, {parcel_columns}
FROM unnest(texts($1), texts($2)) WITH ORDINALITY AS wanted (account_id, order_id, position)
CROSS JOIN LATERAL (
    SELECT * FROM parcels
    WHERE parcels.account_id = wanted.account_id AND parcels.order_id = wanted.order_id
    OFFSET 0
) AS parcels
ORDER BY parcels.position;

-- name: waiting_for
SELECT {quarantine_columns}
FROM unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, store, order_key)
CROSS JOIN LATERAL (
    SELECT * FROM quarantine
    WHERE quarantine.account_id = wanted.account_id
        AND quarantine.store = wanted.store
        AND quarantine.order_key = wanted.order_key
        AND quarantine.verdict = 'orphan'
        AND quarantine.released_at IS NULL
    OFFSET 0
) AS quarantine
ORDER BY quarantine.received_at, quarantine.update_id;

-- name: lock_orders
SELECT orders.order_id
FROM unnest(texts($1), texts($2)) AS wanted (account_id, order_id)
JOIN orders
    ON orders.account_id = ANY (ARRAY[wanted.account_id]) AND orders.order_id = wanted.order_id
ORDER BY orders.account_id, orders.order_id
FOR UPDATE OF orders;

-- name: stand_still
SELECT 1
FROM refuse_stale_setup(texts($1), $2::text::bigint[]);

-- name: miss_no_keys
SELECT 1
FROM refuse_missed_keys(
    $1::text::integer[], $2::text::boolean[],
    texts($3), texts($4), texts($5), texts($6), texts($7), texts($8), texts($9)
);

-- name: insert_orders
INSERT INTO orders (
    account_id, order_id, store, order_key, order_number, state, state_at, sequence, created_at,
    updated_at, reason, previous_state, source_sequence, updating, shipped_at,
    order_type, told_by, precedence, corrections
)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), unnest(texts($4)),
    unnest(texts($5)), unnest(texts($6)), unnest($7::text::bigint[]),
    unnest($8::text::integer[]), unnest($9::text::bigint[]), unnest($10::text::bigint[]),
    unnest(texts($11)), unnest(texts($12)), unnest($13::text::bigint[]),
    unnest($14::text::smallint[]), unnest($15::text::bigint[]), unnest(texts($16)),
    unnest(texts($17)), unnest($18::text::integer[]), unnest(texts($19));

-- name: update_orders
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
FROM unnest(
    texts($1), texts($2), texts($3), texts($4), texts($5), texts($6), $7::text::bigint[],
    $8::text::integer[], $9::text::bigint[], $10::text::bigint[], texts($11), texts($12),
    $13::text::bigint[], $14::text::smallint[], $15::text::bigint[], texts($16), texts($17),
    $18::text::integer[], texts($19)
) AS changed (
    account_id, order_id, store, order_key, order_number, state, state_at, sequence, created_at,
    updated_at, reason, previous_state, source_sequence, updating, shipped_at,
    order_type, told_by, precedence, corrections
)
WHERE orders.account_id = ANY (ARRAY[changed.account_id]) AND orders.order_id = changed.order_id;

-- name: insert_contents
INSERT INTO order_contents (account_id, order_id, content)
SELECT unnest(texts($1)), unnest(texts($2)), unnest($3::bytea[]);

-- name: update_contents
UPDATE order_contents
SET content = changed.content
FROM unnest(texts($1), texts($2), $3::bytea[]) AS changed (account_id, order_id, content)
WHERE order_contents.account_id = ANY (ARRAY[changed.account_id])
    AND order_contents.order_id = changed.order_id;

-- name: put_parcels
INSERT INTO parcels (
    account_id, order_id, parcel, position, state, state_at, source_sequence, carrier,
    carrier_service, tracking_number, tracking_url, created_at, details, told_by, precedence
)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), unnest($4::text::integer[]),
    unnest(texts($5)), unnest($6::text::bigint[]), unnest($7::text::bigint[]),
    unnest(texts($8)), unnest(texts($9)), unnest(texts($10)), unnest(texts($11)),
    unnest($12::text::bigint[]), unnest($13::bytea[]), unnest(texts($14)),
    unnest($15::text::integer[])
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
DELETE FROM parcels
USING unnest(texts($1), texts($2), texts($3)) AS gone (account_id, order_id, parcel)
WHERE parcels.account_id = ANY (ARRAY[gone.account_id])
    AND parcels.order_id = gone.order_id
    AND parcels.parcel = gone.parcel;

-- name: insert_events
INSERT INTO order_events (
    account_id, order_id, sequence, type, state, previous_state, source, occurred_at, received_at,
    reason, raw, parcel, parcel_state, skipped, correction, note
)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest($3::text::integer[]), unnest(texts($4)),
    unnest(texts($5)), unnest(texts($6)), unnest(texts($7)), unnest($8::text::bigint[]),
    unnest($9::text::bigint[]), unnest(texts($10)), unnest(texts($11)), unnest(texts($12)),
    unnest(texts($13)), unnest(texts($14)), unnest($15::text::smallint[]), unnest(texts($16));

-- name: put_rehearsals
INSERT INTO rehearsals (account_id, order_id, mode, step, due_at)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest($3::text::integer[]),
    unnest($4::text::integer[]), unnest($5::text::bigint[])
ON CONFLICT (account_id, order_id) DO UPDATE
SET mode = excluded.mode, step = excluded.step, due_at = excluded.due_at, claimed = 0;

-- name: put_quarantined
INSERT INTO quarantine (
    account_id, update_id, verdict, why, source, store, order_key, order_id, occurred_at,
    received_at, content, released_at
)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), unnest(texts($4)),
    unnest(texts($5)), unnest(texts($6)), unnest(texts($7)), unnest(texts($8)),
    unnest($9::text::bigint[]), unnest($10::text::bigint[]), unnest($11::bytea[]),
    unnest($12::text::bigint[])
ON CONFLICT (account_id, update_id) DO UPDATE
SET verdict = excluded.verdict,
    why = excluded.why,
    store = excluded.store,
    order_key = excluded.order_key,
    order_id = excluded.order_id,
    content = excluded.content,
    released_at = excluded.released_at;

-- name: insert_deliveries
-- Those that are not the head of a new lane.
INSERT INTO deliveries (
    account_id, order_id, endpoint_id, sequence, previous, status, state, created_at, attempts,
    tries, replay, due_at, variant
)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), unnest($4::text::integer[]),
    unnest($5::text::integer[]), unnest(texts($6)), 'pending', unnest($7::text::bigint[]), 0, 0, 0,
    unnest($7::text::bigint[]), unnest($8::text::integer[]);

-- name: insert_bodies
INSERT INTO bodies (account_id, order_id, sequence, variant, content_type, content)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest($3::text::integer[]),
    unnest($4::text::integer[]), unnest(texts($5)), unnest($6::bytea[]);

-- name: insert_lanes
-- Lanes that did not stand when it was looked: if one does by now, all is to be decided again.
INSERT INTO lanes (
    account_id, endpoint_id, order_id, sequence, last, due_at, lease_owner, leased_until, status,
    previous, variant, created_at
)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), unnest($4::text::integer[]),
    unnest($5::text::integer[]), unnest($6::text::bigint[]), unnest(texts($7)),
    unnest($8::text::bigint[]), unnest(texts($9)), unnest($10::text::integer[]),
    unnest($11::text::integer[]), unnest($12::text::bigint[]);

-- name: append_to_lanes
-- Lanes that stood when it was looked. One that stands keeps its head and its lease, and is locked;
-- one that a settlement is about to end is waited for and begun anew.
INSERT INTO lanes (account_id, endpoint_id, order_id, sequence, last, due_at)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), unnest($4::text::integer[]),
    unnest($5::text::integer[]), unnest($6::text::bigint[])
ON CONFLICT (account_id, endpoint_id, order_id) DO UPDATE
SET last = greatest(lanes.last, excluded.last);

-- name: lock_lanes
SELECT lanes.order_id
FROM unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, endpoint_id, order_id)
JOIN lanes
    ON lanes.account_id = ANY (ARRAY[wanted.account_id])
    AND lanes.endpoint_id = wanted.endpoint_id
    AND lanes.order_id = wanted.order_id
ORDER BY lanes.account_id, lanes.endpoint_id, lanes.order_id
FOR UPDATE OF lanes;

-- name: record_waiting_heads
-- Of these lanes those whose head is in them and nobody's, so that it can be superseded.
WITH heads AS MATERIALIZED (
    SELECT lanes.*
    FROM unnest(texts($1), texts($2), texts($3), $4::text::integer[])
        AS newest (account_id, endpoint_id, order_id, sequence)
    JOIN lanes
        ON lanes.account_id = ANY (ARRAY[newest.account_id])
        AND lanes.endpoint_id = newest.endpoint_id
        AND lanes.order_id = newest.order_id
        AND lanes.sequence < newest.sequence
        AND lanes.status IS NOT NULL
        AND lanes.lease_owner IS NULL
), recorded AS (
    INSERT INTO deliveries (
        account_id, order_id, endpoint_id, sequence, previous, status, state, created_at, attempts,
        tries, replay, due_at, variant
    )
    SELECT
        account_id, order_id, endpoint_id, sequence, previous, status, 'pending', created_at, 0,
        0, 0, created_at, variant
    FROM heads
)
UPDATE lanes
SET status = NULL, previous = NULL, variant = NULL, created_at = NULL,
    revision = lanes.revision + 1
FROM heads
WHERE lanes.account_id = ANY (ARRAY[heads.account_id])
    AND lanes.endpoint_id = heads.endpoint_id
    AND lanes.order_id = heads.order_id;

-- name: supersede
-- What waits in a lane before the newest, unless it was begun or asked for again. Of a lane that is
-- leased the first of these is spared: it may be on its way, and then it is behind whatever an
-- operator has sent again since. It is not among them while it is in its lane.
UPDATE deliveries
SET state = 'superseded', due_at = NULL, settled_at = $5
FROM unnest(texts($1), texts($2), texts($3), $4::text::integer[])
    AS newest (account_id, endpoint_id, order_id, sequence)
CROSS JOIN LATERAL (
    SELECT lanes.lease_owner IS NOT NULL AND lanes.status IS NULL AS spares_one
    FROM lanes
    WHERE lanes.account_id = newest.account_id
        AND lanes.endpoint_id = newest.endpoint_id
        AND lanes.order_id = newest.order_id
    OFFSET 0
) AS lane
CROSS JOIN LATERAL (
    SELECT min(first.sequence) AS sequence
    FROM deliveries AS first
    WHERE first.account_id = newest.account_id
        AND first.order_id = newest.order_id
        AND first.endpoint_id = newest.endpoint_id
        AND first.state = 'pending'
        AND first.replay = 0
) AS spared
WHERE deliveries.account_id = ANY (ARRAY[newest.account_id])
    AND deliveries.order_id = newest.order_id
    AND deliveries.endpoint_id = newest.endpoint_id
    AND deliveries.sequence < newest.sequence
    AND deliveries.state = 'pending'
    AND deliveries.attempts = 0
    AND deliveries.replay = 0
    AND NOT (lane.spares_one AND deliveries.sequence = spared.sequence)
RETURNING deliveries.account_id, deliveries.endpoint_id, deliveries.order_id;

-- name: move_past_superseded
-- The head of a lane that nobody has leased is the first that is pending; a held lane stays so.
-- Who settles one that is leased must look at it again.
UPDATE lanes
SET sequence = CASE WHEN lanes.lease_owner IS NULL THEN head.sequence ELSE lanes.sequence END,
    due_at = CASE
        WHEN lanes.lease_owner IS NULL AND lanes.due_at IS NOT NULL THEN head.due_at
        ELSE lanes.due_at
    END,
    revision = lanes.revision + 1
FROM unnest(texts($1), texts($2), texts($3)) AS moved (account_id, endpoint_id, order_id)
CROSS JOIN LATERAL (
    SELECT deliveries.sequence, deliveries.due_at
    FROM deliveries
    WHERE deliveries.account_id = moved.account_id
        AND deliveries.order_id = moved.order_id
        AND deliveries.endpoint_id = moved.endpoint_id
        AND deliveries.state = 'pending'
    ORDER BY deliveries.sequence
    LIMIT 1
) AS head
WHERE lanes.account_id = ANY (ARRAY[moved.account_id])
    AND lanes.endpoint_id = moved.endpoint_id
    AND lanes.order_id = moved.order_id;

-- name: lanes_before
-- Where something was queued for these lanes before: the latest sequence, whether that was given
-- up, and whether the lane stands. A head that is in its lane is the latest unless more follows.
SELECT
    wanted.position,
    coalesce(latest.sequence, 0) AS sequence,
    coalesce(latest.state = 'abandoned', false) AS is_given_up,
    lane.sequence AS head
FROM unnest(texts($1), texts($2), texts($3))
    WITH ORDINALITY AS wanted (account_id, endpoint_id, order_id, position)
LEFT JOIN LATERAL (
    SELECT deliveries.sequence, deliveries.state
    FROM deliveries
    WHERE deliveries.account_id = wanted.account_id
        AND deliveries.order_id = wanted.order_id
        AND deliveries.endpoint_id = wanted.endpoint_id
    ORDER BY deliveries.sequence DESC
    LIMIT 1
) AS latest ON true
LEFT JOIN LATERAL (
    SELECT lanes.sequence
    FROM lanes
    WHERE lanes.account_id = wanted.account_id
        AND lanes.endpoint_id = wanted.endpoint_id
        AND lanes.order_id = wanted.order_id
    OFFSET 0
) AS lane ON true
WHERE latest.sequence IS NOT NULL OR lane.sequence IS NOT NULL;
