-- What asks for a person on PostgreSQL, page by page, without what was put aside.

-- name: abandoned_page
-- The first of each endpoint that is there, and of those the first of all.
SELECT found.*
FROM endpoints
CROSS JOIN LATERAL (
    SELECT {delivery_columns}
    FROM deliveries
    WHERE deliveries.account_id COLLATE "POSIX" = :account_id
        AND deliveries.endpoint_id = endpoints.endpoint_id
        AND deliveries.state = 'abandoned'
        AND deliveries.settled_at > :after -- if after
        AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
            < (:after_created, :after_order, -- if after_endpoint
                :after_sequence::bigint, :after_endpoint) -- if after_endpoint
        AND NOT EXISTS (
            SELECT FROM dismissals
            WHERE dismissals.account_id = :account_id
                AND dismissals.item = 'delivery:' || deliveries.order_id
                    || '-' || deliveries.sequence || '-' || deliveries.endpoint_id
                    || CASE WHEN deliveries.replay > 0 THEN '-r' || deliveries.replay ELSE '' END
            OFFSET 0
        )
    ORDER BY deliveries.created_at DESC, deliveries.order_id DESC, deliveries.sequence DESC
    LIMIT :limit
) AS found
WHERE endpoints.account_id = :account_id
ORDER BY found.created_at DESC, found.order_id DESC, found.sequence DESC, found.endpoint_id DESC
LIMIT :limit;

-- name: unresolved_page
SELECT {quarantine_columns}
FROM quarantine
WHERE quarantine.account_id COLLATE "ucs_basic" = :account_id
    AND quarantine.verdict = :verdict
    AND quarantine.received_at <= :until
    AND quarantine.received_at > :after -- if after
    AND (quarantine.received_at, quarantine.update_id) -- if after_update
        < (:after_received, :after_update) -- if after_update
    AND NOT EXISTS (
        SELECT FROM dismissals
        WHERE dismissals.account_id = :account_id
            AND dismissals.item = 'update:' || quarantine.update_id
        OFFSET 0
    )
ORDER BY quarantine.received_at DESC, quarantine.update_id DESC
LIMIT :limit;

-- name: unmapped_page
SELECT {receipt_columns}
FROM receipts
WHERE receipts.account_id COLLATE "ucs_basic" = :account_id
    AND receipts.verdict = 'unmapped'
    AND receipts.verdict <> 'applied'
    AND receipts.received_at > :after -- if after
    AND receipts.receipt_id < :after_receipt -- if after_receipt
    AND NOT EXISTS (
        SELECT FROM dismissals
        WHERE dismissals.account_id = :account_id
            AND dismissals.item = 'receipt:' || receipts.receipt_id
        OFFSET 0
    )
ORDER BY account_id COLLATE "ucs_basic" DESC, verdict DESC, receipt_id DESC
LIMIT :limit;

-- name: kept_of_order
-- All of the order first: else the newest of the account would be walked through for them.
SELECT {quarantine_columns}
FROM (
    SELECT * FROM quarantine
    WHERE account_id COLLATE "POSIX" = :account_id AND order_id = :order_id
    OFFSET 0
) AS quarantine
ORDER BY quarantine.update_id DESC
LIMIT :limit;

-- name: kept_update
SELECT {quarantine_columns}
FROM quarantine
WHERE account_id COLLATE "POSIX" = :account_id AND update_id = :update_id;

-- name: dismissed
SELECT wanted.position, dismissals.dismissed_at
FROM unnest(texts($1), texts($2)) WITH ORDINALITY AS wanted (account_id, item, position)
CROSS JOIN LATERAL (
    SELECT dismissals.dismissed_at FROM dismissals
    WHERE dismissals.account_id = wanted.account_id AND dismissals.item = wanted.item
    OFFSET 0
) AS dismissals;
