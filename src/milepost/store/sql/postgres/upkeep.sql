-- Upkeep on PostgreSQL: what is removed and what is erased, some rows at a time.

-- name: begin_upkeep_record
INSERT INTO upkeep (account_id, report)
VALUES ('', '')
ON CONFLICT (account_id) DO NOTHING;

-- name: take_upkeep
UPDATE upkeep
SET lease_owner = :owner, leased_until = :until, begun_at = :now
WHERE account_id = ''
    AND (leased_until IS NULL OR leased_until <= :now OR lease_owner = :owner)
    AND (begun_at IS NULL OR ended_at IS NULL OR ended_at < begun_at -- if not_since
        OR begun_at <= :not_since) -- if not_since
RETURNING account_id;

-- name: renew_upkeep
UPDATE upkeep
SET leased_until = :until
WHERE account_id = '' AND lease_owner = :owner;

-- name: end_upkeep
UPDATE upkeep
SET lease_owner = NULL, leased_until = NULL, ended_at = :now, report = :report
WHERE account_id = '' AND lease_owner = :owner;

-- name: upkeep
SELECT begun_at, ended_at, report, lease_owner, leased_until
FROM upkeep
WHERE account_id = '';

-- name: aged_orders
SELECT order_id, state, updated_at
FROM orders
WHERE account_id = :account_id AND order_id > :after AND order_id < :before
ORDER BY order_id
LIMIT :limit;

-- name: add_removal
INSERT INTO removals (account_id, order_id, scope, decided_at)
VALUES (:account_id, :order_id, :scope, :now)
ON CONFLICT (account_id, order_id) DO UPDATE
SET scope = excluded.scope, decided_at = excluded.decided_at;

-- name: removals
SELECT account_id, order_id, scope
FROM removals
ORDER BY account_id, order_id
LIMIT :limit;

-- name: removal_of_order
SELECT account_id, order_id, scope
FROM removals
WHERE account_id = :account_id AND order_id = :order_id;

-- name: clear_notice_attempts
DELETE FROM attempts
WHERE account_id = :account_id
    AND order_id = :order_id
    AND endpoint_id = :endpoint_id
    AND sequence = :sequence;

-- name: clear_notice_bodies
DELETE FROM bodies
WHERE account_id = :account_id
    AND order_id = :order_id
    AND sequence = :sequence
    AND NOT EXISTS (
        SELECT 1
        FROM deliveries
        WHERE deliveries.account_id = bodies.account_id
            AND deliveries.order_id = bodies.order_id
            AND deliveries.sequence = bodies.sequence
            AND deliveries.variant = bodies.variant
    );

-- name: drop_notice
DELETE FROM deliveries
WHERE account_id = :account_id
    AND order_id = :order_id
    AND endpoint_id = :endpoint_id
    AND sequence = :sequence
    AND state <> 'pending';

-- name: drop_body
DELETE FROM bodies
WHERE account_id = :account_id
    AND order_id = :order_id
    AND sequence = :sequence
    AND variant = :variant;

-- name: add_erased_body
INSERT INTO erased_bodies (
    account_id, order_id, sequence, variant, content_type, size, sha256
)
VALUES (:account_id, :order_id, :sequence, :variant, :content_type, :size, :digest)
ON CONFLICT (account_id, order_id, sequence, variant) DO NOTHING;

-- name: bodies_to_erase
SELECT sequence, variant, content_type, content
FROM bodies
WHERE account_id = :account_id AND order_id = :order_id
ORDER BY sequence, variant
LIMIT :limit;

-- name: mark_erased
UPDATE orders
SET sequence = :sequence, updated_at = :now, updating = 0, corrections = NULL, erased_at = :now
WHERE account_id = :account_id AND order_id = :order_id;

-- name: standings
SELECT
    orders.order_id,
    orders.state,
    orders.updated_at,
    EXISTS (
        SELECT FROM endpoints
        CROSS JOIN LATERAL (
            SELECT FROM lanes
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.order_id = orders.order_id
            OFFSET 0
        ) AS lane
        WHERE endpoints.account_id = orders.account_id
    ) AS is_pending,
    (
        SELECT max(deliveries.settled_at) FROM deliveries
        WHERE deliveries.account_id = orders.account_id
            AND deliveries.order_id = orders.order_id
    ) AS settled_at
FROM orders
WHERE orders.account_id = :account_id AND orders.order_id = ANY (:order_ids)
ORDER BY orders.order_id;

-- name: drop_these_orders
WITH dropped AS (
    DELETE FROM orders
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    RETURNING account_id, order_id
)
INSERT INTO removals (account_id, order_id, scope, decided_at)
SELECT account_id, order_id, 'order', :now FROM dropped
ON CONFLICT (account_id, order_id) DO UPDATE
SET scope = excluded.scope, decided_at = excluded.decided_at;

-- name: end_removals
DELETE FROM removals
WHERE account_id = :account_id AND order_id = ANY (:order_ids);

-- name: clear_attempts
DELETE FROM attempts
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM attempts
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_bodies
DELETE FROM bodies
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM bodies
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_erased_bodies
DELETE FROM erased_bodies
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM erased_bodies
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_deliveries
DELETE FROM deliveries
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM deliveries
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_events
DELETE FROM order_events
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM order_events
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_parcels
DELETE FROM parcels
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM parcels
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_content
DELETE FROM order_contents
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM order_contents
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_tracking
DELETE FROM trackings
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM trackings
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_differences
DELETE FROM reconciliation_differences
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM reconciliation_differences
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_rehearsal
DELETE FROM rehearsals
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM rehearsals
    WHERE account_id = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: clear_quarantined
DELETE FROM quarantine
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM quarantine
    WHERE account_id COLLATE "POSIX" = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: old_quarantined
SELECT count(*)
FROM (
    SELECT FROM quarantine
    WHERE account_id COLLATE "POSIX" = :account_id
        AND update_id < :before
        AND received_at <= :until
    LIMIT :limit
) AS found;

-- name: drop_quarantined
DELETE FROM quarantine
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM quarantine
    WHERE account_id COLLATE "POSIX" = :account_id
        AND update_id < :before
        AND received_at <= :until
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
));

-- name: notices_page
-- Deliveries that belong to no order, each with what the latest of its lane is.
SELECT
    page.order_id, page.endpoint_id, page.sequence, page.state, page.settled_at,
    (
        SELECT max(latest.sequence) FROM deliveries AS latest
        WHERE latest.account_id = page.account_id
            AND latest.order_id = page.order_id
            AND latest.endpoint_id = page.endpoint_id
    ),
    EXISTS (
        SELECT FROM orders
        WHERE orders.account_id = page.account_id AND orders.order_id = page.order_id
    )
FROM (
    SELECT account_id, order_id, endpoint_id, sequence, state, settled_at
    FROM deliveries
    WHERE account_id = :account_id
        AND order_id < :before
        AND (order_id, endpoint_id, sequence) > (:order_id, :endpoint_id, :sequence::integer)
    ORDER BY order_id, endpoint_id, sequence
    LIMIT :limit
) AS page
ORDER BY page.order_id, page.endpoint_id, page.sequence;

-- name: pending_of_order
-- A head that nobody has tried yet stands in its lane alone.
SELECT
    (
        SELECT count(*) FROM deliveries
        WHERE account_id = :account_id AND order_id = :order_id AND state = 'pending'
    ) + (
        SELECT count(*) FROM endpoints
        CROSS JOIN LATERAL (
            SELECT lanes.status FROM lanes
            WHERE lanes.account_id = endpoints.account_id
                AND lanes.endpoint_id = endpoints.endpoint_id
                AND lanes.order_id = :order_id
            OFFSET 0
        ) AS lane
        WHERE endpoints.account_id = :account_id AND lane.status IS NOT NULL
    );

-- name: lanes_of_order
SELECT lane.account_id, lane.endpoint_id, lane.order_id
FROM endpoints
CROSS JOIN LATERAL (
    SELECT lanes.account_id, lanes.endpoint_id, lanes.order_id FROM lanes
    WHERE lanes.account_id = endpoints.account_id
        AND lanes.endpoint_id = endpoints.endpoint_id
        AND lanes.order_id = :order_id
    OFFSET 0
) AS lane
WHERE endpoints.account_id = :account_id
ORDER BY lane.account_id, lane.endpoint_id, lane.order_id;

-- name: erase_attempts
UPDATE attempts
SET response = ''
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM attempts
    WHERE account_id = :account_id AND order_id = :order_id AND response <> ''
    LIMIT :limit
));

-- name: erase_events
UPDATE order_events
SET raw = NULL, parcel = NULL, note = NULL
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM order_events
    WHERE account_id = :account_id
        AND order_id = :order_id
        AND coalesce(raw, parcel, note) IS NOT NULL
        AND type <> 'order.erased'
    LIMIT :limit
));

-- name: quarantined_of_order
SELECT {quarantine_columns}
FROM quarantine
WHERE account_id COLLATE "POSIX" = :account_id AND order_id = :order_id;

-- name: erase_quarantined
UPDATE quarantine
SET content = :content
WHERE account_id COLLATE "POSIX" = :account_id AND update_id = :update_id;

-- name: erased_body
SELECT left_over.sha256, left_over.size, left_over.content_type
FROM deliveries
CROSS JOIN LATERAL (
    SELECT sha256, size, content_type FROM erased_bodies
    WHERE erased_bodies.account_id = deliveries.account_id
        AND erased_bodies.order_id = deliveries.order_id
        AND erased_bodies.sequence = deliveries.sequence
        AND erased_bodies.variant = deliveries.variant
    OFFSET 0
) AS left_over
WHERE deliveries.account_id = :account_id
    AND deliveries.order_id = :order_id
    AND deliveries.endpoint_id = :endpoint_id
    AND deliveries.sequence = :sequence;
