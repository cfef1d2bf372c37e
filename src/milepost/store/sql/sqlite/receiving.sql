-- Messages of sources on SQLite: those that wait are leased by one writer, so that nobody else can
-- be in the way. An index is named where SQLite, which keeps no statistics here, would walk through
-- the whole account.

-- name: messages_known
WITH wanted (account_id, source, message_id) AS (VALUES (?, ?, ?))
SELECT receipts.account_id, receipts.source, receipts.message_id, receipts.receipt_id
FROM wanted
CROSS JOIN receipts INDEXED BY receipts_by_message
    ON receipts.account_id = wanted.account_id
    AND receipts.source = wanted.source
    AND receipts.message_id = wanted.message_id
    AND receipts.message_id IS NOT NULL;

-- name: receipts_by_id
WITH wanted (account_id, receipt_id) AS (VALUES (?, ?))
SELECT {receipt_columns}, receipts.message, x''
FROM wanted
CROSS JOIN receipts
    ON receipts.account_id = wanted.account_id AND receipts.receipt_id = wanted.receipt_id;

-- name: insert_receipts
INSERT INTO receipts (
    account_id, receipt_id, source, kind, message_id, verdict, why, word, store, order_key,
    order_id, tracking_number, received_at, words, content_type, size, sha256, due_at, message, body
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: decide_receipts
WITH decided (
    account_id, receipt_id, verdict, why, store, order_key, order_id, words, due_at, message
) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE receipts
SET verdict = decided.verdict,
    why = decided.why,
    store = decided.store,
    order_key = decided.order_key,
    order_id = decided.order_id,
    words = decided.words,
    due_at = decided.due_at,
    message = decided.message
FROM decided
WHERE receipts.account_id = decided.account_id AND receipts.receipt_id = decided.receipt_id;

-- name: receipts_page
SELECT {receipt_columns}
FROM receipts
    INDEXED BY receipts_by_order -- if by_order
    INDEXED BY receipts_by_verdict -- if by_verdict
    INDEXED BY receipts_by_source -- if by_source
WHERE account_id = :account_id
    AND receipt_id < :after_receipt -- if after_receipt
    AND source = :source -- if source
    AND order_id = :order_id -- if order_id
    AND verdict = :verdict -- if verdict
    AND verdict <> 'applied' -- if by_verdict
ORDER BY receipt_id DESC
LIMIT :limit;

-- name: last_received
SELECT received_at
FROM receipts INDEXED BY receipts_by_source
WHERE account_id = :account_id AND source = :source
ORDER BY receipt_id DESC
LIMIT 1;

-- name: last_received_each
SELECT
    sources.source,
    (
        SELECT received_at
        FROM receipts INDEXED BY receipts_by_source
        WHERE receipts.account_id = sources.account_id AND receipts.source = sources.source
        ORDER BY receipt_id DESC
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
)
GROUP BY source, verdict;

-- name: accounts_with_due_receipts
SELECT account_id
FROM accounts
WHERE EXISTS (
    SELECT 1
    FROM receipts INDEXED BY receipts_due
    WHERE receipts.account_id = accounts.account_id AND receipts.due_at <= :now
);

-- name: due_receipts
SELECT {receipt_columns}, receipts.message, x''
FROM receipts INDEXED BY receipts_due
WHERE account_id = :account_id AND due_at <= :now
ORDER BY due_at
LIMIT :limit;

-- name: put_off_receipts
WITH leased (account_id, receipt_id, due_at) AS (VALUES (?, ?, ?))
UPDATE receipts
SET due_at = leased.due_at
FROM leased
WHERE receipts.account_id = leased.account_id AND receipts.receipt_id = leased.receipt_id;

-- name: rest_receipts
WITH resting (account_id, receipt_id, leased_until) AS (VALUES (?, ?, ?))
UPDATE receipts
SET due_at = NULL
FROM resting
WHERE receipts.account_id = resting.account_id
    AND receipts.receipt_id = resting.receipt_id
    AND receipts.due_at = resting.leased_until;

-- name: old_receipts
SELECT count(*)
FROM (
    SELECT 1
    FROM receipts INDEXED BY receipts_without_order
    WHERE account_id = :account_id
        AND receipt_id < :before
        AND order_id IS NULL
        AND received_at <= :until
    LIMIT :limit
);

-- name: drop_receipts
DELETE FROM receipts
WHERE (account_id, receipt_id) IN (
    SELECT account_id, receipt_id
    FROM receipts INDEXED BY receipts_without_order
    WHERE account_id = :account_id
        AND receipt_id < :before
        AND order_id IS NULL
        AND received_at <= :until
    LIMIT :limit
);

-- name: clear_receipts
DELETE FROM receipts
WHERE (account_id, receipt_id) IN (
    SELECT account_id, receipt_id
    FROM receipts INDEXED BY receipts_by_order
    WHERE account_id = :account_id AND order_id = :order_id
    LIMIT :limit
);

-- name: receipts_to_erase
-- Those of an order, and those without one that name its key.
SELECT receipt_id, words, body
FROM receipts INDEXED BY receipts_by_order
WHERE account_id = :account_id AND order_id = :order_id AND sha256 IS NULL
UNION ALL
SELECT receipts.receipt_id, receipts.words, receipts.body
FROM orders
CROSS JOIN receipts INDEXED BY receipts_by_key
    ON receipts.account_id = orders.account_id
    AND receipts.store = orders.store
    AND receipts.order_key = orders.order_key
    AND receipts.order_id IS NULL
    AND receipts.sha256 IS NULL
WHERE orders.account_id = :account_id AND orders.order_id = :order_id
LIMIT :limit;
