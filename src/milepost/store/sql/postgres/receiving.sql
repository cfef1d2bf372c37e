-- Messages of sources on PostgreSQL.

-- name: messages_known
SELECT found.account_id, found.source, found.message_id, found.receipt_id
FROM unnest(texts($1), texts($2), texts($3)) AS wanted (account_id, source, message_id)
CROSS JOIN LATERAL (
    SELECT receipts.account_id, receipts.source, receipts.message_id, receipts.receipt_id
    FROM receipts
    WHERE receipts.account_id COLLATE "POSIX" = wanted.account_id
        AND receipts.source = wanted.source
        AND receipts.message_id = wanted.message_id
    OFFSET 0
) AS found;

-- name: receipts_by_id
SELECT {receipt_columns}, receipts.message, ''::bytea
FROM unnest(texts($1), texts($2)) AS wanted (account_id, receipt_id)
CROSS JOIN LATERAL (
    SELECT * FROM receipts
    WHERE receipts.account_id = wanted.account_id AND receipts.receipt_id = wanted.receipt_id
    OFFSET 0
) AS receipts;

-- name: insert_receipts
INSERT INTO receipts (
    account_id, receipt_id, source, kind, message_id, verdict, why, word, store, order_key,
    order_id, tracking_number, received_at, words, content_type, size, sha256, due_at, message, body
)
SELECT
    unnest(texts($1)), unnest(texts($2)), unnest(texts($3)), unnest(texts($4)),
    unnest(texts($5)), unnest(texts($6)), unnest(texts($7)), unnest(texts($8)),
    unnest(texts($9)), unnest(texts($10)), unnest(texts($11)), unnest(texts($12)),
    unnest($13::text::bigint[]), unnest(texts($14)), unnest(texts($15)),
    unnest($16::text::integer[]), unnest($17::bytea[]), unnest($18::text::bigint[]),
    unnest($19::bytea[]), unnest($20::bytea[]);

-- name: decide_receipts
UPDATE receipts
SET verdict = decided.verdict,
    why = decided.why,
    store = decided.store,
    order_key = decided.order_key,
    order_id = decided.order_id,
    words = decided.words,
    due_at = decided.due_at,
    message = decided.message
FROM unnest(
    texts($1), texts($2), texts($3), texts($4), texts($5), texts($6), texts($7), texts($8),
    $9::text::bigint[], $10::bytea[]
) AS decided (
    account_id, receipt_id, verdict, why, store, order_key, order_id, words, due_at, message
)
WHERE receipts.account_id = ANY (ARRAY[decided.account_id])
    AND receipts.receipt_id = decided.receipt_id;

-- name: receipts_page
SELECT {receipt_columns}
FROM receipts
WHERE account_id = :account_id
    AND receipt_id < :after_receipt -- if after_receipt
    AND verdict = :verdict -- if verdict
ORDER BY receipt_id DESC
LIMIT :limit;

-- name: receipts_page_of_source
SELECT {receipt_columns}
FROM receipts
WHERE account_id COLLATE "ucs_basic" = :account_id
    AND source = :source
    AND receipt_id < :after_receipt -- if after_receipt
    AND verdict = :verdict -- if verdict
ORDER BY account_id COLLATE "ucs_basic" DESC, source DESC, receipt_id DESC
LIMIT :limit;

-- name: receipts_page_of_verdict
SELECT {receipt_columns}
FROM receipts
WHERE account_id COLLATE "ucs_basic" = :account_id
    AND verdict = :verdict
    AND verdict <> 'applied'
    AND receipt_id < :after_receipt -- if after_receipt
    AND source = :source -- if source
ORDER BY account_id COLLATE "ucs_basic" DESC, verdict DESC, receipt_id DESC
LIMIT :limit;

-- name: receipts_page_of_order
SELECT {receipt_columns}
FROM receipts
WHERE account_id COLLATE "POSIX" = :account_id
    AND order_id = :order_id
    AND receipt_id < :after_receipt -- if after_receipt
    AND source = :source -- if source
    AND verdict = :verdict -- if verdict
ORDER BY account_id COLLATE "POSIX" DESC, order_id DESC, receipt_id DESC
LIMIT :limit;

-- name: last_received
SELECT received_at
FROM receipts
WHERE account_id COLLATE "ucs_basic" = :account_id AND source = :source
ORDER BY account_id COLLATE "ucs_basic" DESC, source DESC, receipt_id DESC
LIMIT 1;

-- name: last_received_each
SELECT
    sources.source,
    (
        SELECT receipts.received_at
        FROM receipts
        WHERE receipts.account_id COLLATE "ucs_basic" = sources.account_id
            AND receipts.source = sources.source
        ORDER BY receipts.account_id COLLATE "ucs_basic" DESC, receipts.source DESC,
            receipts.receipt_id DESC
        LIMIT 1
    )
FROM sources
WHERE sources.account_id = :account_id;

-- name: verdict_counts
SELECT source, verdict, count(*)
FROM (
    SELECT source, verdict
    FROM receipts
    WHERE account_id = :account_id
    ORDER BY receipt_id DESC
    LIMIT :most
) AS latest
GROUP BY source, verdict;

-- name: accounts_with_due_receipts
SELECT accounts.account_id
FROM accounts
CROSS JOIN LATERAL (
    SELECT FROM receipts
    WHERE receipts.account_id COLLATE "POSIX" = accounts.account_id AND receipts.due_at <= :now
    LIMIT 1
) AS due;

-- name: claim_receipts
UPDATE receipts
SET due_at = :until
FROM (
    SELECT receipts.account_id, receipts.receipt_id
    FROM receipts
    WHERE receipts.account_id COLLATE "POSIX" = :account_id AND receipts.due_at <= :now
    ORDER BY receipts.due_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
) AS due
WHERE receipts.account_id = ANY (ARRAY[due.account_id])
    AND receipts.receipt_id = due.receipt_id
RETURNING {receipt_columns}, receipts.message, ''::bytea;

-- name: rest_receipts
UPDATE receipts
SET due_at = NULL
FROM unnest(texts($1), texts($2), $3::text::bigint[])
    AS resting (account_id, receipt_id, leased_until)
WHERE receipts.account_id = ANY (ARRAY[resting.account_id])
    AND receipts.receipt_id = resting.receipt_id
    AND receipts.due_at IS NOT DISTINCT FROM resting.leased_until;

-- name: old_receipts
SELECT count(*)
FROM (
    SELECT FROM receipts
    WHERE account_id = :account_id
        AND receipt_id < :before
        AND order_id IS NULL
        AND received_at > 0
        AND received_at <= :until
    LIMIT :limit
) AS found;

-- name: drop_receipts
DELETE FROM receipts
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM receipts
    WHERE account_id = :account_id
        AND receipt_id < :before
        AND order_id IS NULL
        AND received_at > 0
        AND received_at <= :until
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
));

-- name: clear_receipts
DELETE FROM receipts
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM receipts
    WHERE account_id COLLATE "POSIX" = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: receipts_to_erase
-- Those of an order, and those without one that name its key.
SELECT receipt_id, words, body
FROM receipts
WHERE account_id COLLATE "POSIX" = :account_id AND order_id = :order_id AND sha256 IS NULL
UNION ALL
SELECT named.receipt_id, named.words, named.body
FROM orders
CROSS JOIN LATERAL (
    SELECT receipts.receipt_id, receipts.words, receipts.body
    FROM receipts
    WHERE receipts.account_id COLLATE "POSIX" = orders.account_id
        AND receipts.store = orders.store
        AND receipts.order_key = orders.order_key
        AND receipts.order_id IS NULL
        AND receipts.sha256 IS NULL
    OFFSET 0
) AS named
WHERE orders.account_id = :account_id AND orders.order_id = :order_id
LIMIT :limit;
