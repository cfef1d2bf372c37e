-- What asks for a person on SQLite, page by page, without what was put aside. An index is named
-- where SQLite, which keeps no statistics here, would take another.

-- name: abandoned_page
SELECT {delivery_columns}
FROM deliveries INDEXED BY deliveries_open
WHERE deliveries.account_id = :account_id
    AND deliveries.state = 'abandoned'
    AND deliveries.state <> 'acknowledged'
    AND deliveries.settled_at > :after -- if after
    AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
        < (:after_created, :after_order, :after_sequence, :after_endpoint) -- if after_endpoint
    AND EXISTS (
        SELECT 1
        FROM endpoints
        WHERE endpoints.account_id = :account_id AND endpoints.endpoint_id = deliveries.endpoint_id
    )
    AND NOT EXISTS (
        SELECT 1
        FROM dismissals
        WHERE dismissals.account_id = :account_id
            AND dismissals.item = 'delivery:' || deliveries.order_id || '-' || deliveries.sequence
                || '-' || deliveries.endpoint_id
                || CASE WHEN deliveries.replay > 0 THEN '-r' || deliveries.replay ELSE '' END
    )
ORDER BY created_at DESC, order_id DESC, sequence DESC, endpoint_id DESC
LIMIT :limit;

-- name: unresolved_page
SELECT {quarantine_columns}
FROM quarantine INDEXED BY quarantine_by_verdict
WHERE quarantine.account_id = :account_id
    AND quarantine.verdict = :verdict
    AND quarantine.received_at <= :until
    AND quarantine.received_at > :after -- if after
    AND (quarantine.received_at, quarantine.update_id) -- if after_update
        < (:after_received, :after_update) -- if after_update
    AND NOT EXISTS (
        SELECT 1
        FROM dismissals
        WHERE dismissals.account_id = :account_id
            AND dismissals.item = 'update:' || quarantine.update_id
    )
ORDER BY quarantine.received_at DESC, quarantine.update_id DESC
LIMIT :limit;

-- name: unmapped_page
SELECT {receipt_columns}
FROM receipts INDEXED BY receipts_by_verdict
WHERE receipts.account_id = :account_id
    AND receipts.verdict = 'unmapped'
    AND receipts.verdict <> 'applied'
    AND receipts.received_at > :after -- if after
    AND receipts.receipt_id < :after_receipt -- if after_receipt
    AND NOT EXISTS (
        SELECT 1
        FROM dismissals
        WHERE dismissals.account_id = :account_id
            AND dismissals.item = 'receipt:' || receipts.receipt_id
    )
ORDER BY receipts.receipt_id DESC
LIMIT :limit;

-- name: kept_of_order
SELECT {quarantine_columns}
FROM quarantine INDEXED BY quarantine_by_order
WHERE account_id = :account_id AND order_id = :order_id
ORDER BY update_id DESC
LIMIT :limit;

-- name: kept_update
SELECT {quarantine_columns}
FROM quarantine
WHERE account_id = :account_id AND update_id = :update_id;

-- name: dismissed
WITH wanted (position, account_id, item) AS (VALUES (?, ?, ?))
SELECT wanted.position, dismissals.dismissed_at
FROM wanted
CROSS JOIN dismissals
    ON dismissals.account_id = wanted.account_id AND dismissals.item = wanted.item;
