-- Sources, and the messages that they have sent: the same for every database.

-- part: source_columns
sources.account_id, sources.source, sources.kind, sources.digest, sources.store, sources.stores,
sources.networks, sources.precedence, sources.trusted, sources.options, sources.sealed,
sources.created_at, sources.updated_at

-- part: receipt_columns
receipts.account_id, receipts.receipt_id, receipts.source, receipts.kind, receipts.message_id,
receipts.verdict, receipts.why, receipts.word, receipts.store, receipts.order_key,
receipts.order_id, receipts.tracking_number, receipts.received_at, receipts.words,
receipts.content_type, receipts.size, receipts.sha256

-- name: put_source
INSERT INTO sources (
    account_id, source, kind, digest, store, stores, networks, precedence, trusted, options,
    sealed, created_at, updated_at
)
VALUES (
    :account_id, :source, :kind, :digest, :store, :stores, :networks, :precedence, :trusted,
    :options, :sealed, :created_at, :updated_at
)
ON CONFLICT (account_id, source) DO UPDATE
SET kind = excluded.kind,
    digest = excluded.digest,
    store = excluded.store,
    stores = excluded.stores,
    networks = excluded.networks,
    precedence = excluded.precedence,
    trusted = excluded.trusted,
    options = excluded.options,
    sealed = excluded.sealed,
    updated_at = excluded.updated_at;

-- name: put_source_path
INSERT INTO source_paths (digest, account_id, source)
VALUES (:digest, :account_id, :source)
ON CONFLICT (digest) DO NOTHING;

-- name: drop_source_path
DELETE FROM source_paths
WHERE digest = :digest AND account_id = :account_id AND source = :source;

-- name: source
SELECT {source_columns}
FROM sources
WHERE account_id = :account_id AND source = :source;

-- name: sources
SELECT {source_columns}
FROM sources
WHERE account_id = :account_id
ORDER BY source;

-- name: every_source
SELECT {source_columns}
FROM sources
ORDER BY account_id, source;

-- name: source_of_path
SELECT {source_columns}
FROM sources
WHERE sources.account_id = (SELECT account_id FROM source_paths WHERE digest = :digest)
    AND sources.source = (SELECT source FROM source_paths WHERE digest = :digest)
    AND sources.digest = :digest;

-- name: delete_source
DELETE FROM sources
WHERE account_id = :account_id AND source = :source;

-- name: reseal_source
-- Only as long as nobody else has changed it.
UPDATE sources
SET sealed = :sealed
WHERE account_id = :account_id AND source = :source AND sealed = :before;

-- name: count_refused
INSERT INTO source_refusals (account_id, source, refused, refused_at, why)
VALUES (:account_id, :source, :number, :now, :why)
ON CONFLICT (account_id, source) DO UPDATE
SET refused = source_refusals.refused + excluded.refused,
    refused_at = excluded.refused_at,
    why = excluded.why;

-- name: refusals
SELECT source, refused, refused_at, why
FROM source_refusals
WHERE account_id = :account_id;

-- name: forget_refusals
DELETE FROM source_refusals
WHERE account_id = :account_id AND source = :source;

-- name: receipt
SELECT {receipt_columns}, message, body
FROM receipts
WHERE account_id = :account_id AND receipt_id = :receipt_id;

-- name: erase_receipt
UPDATE receipts
SET word = '', tracking_number = NULL, words = :words, why = '', sha256 = :digest, due_at = NULL,
    message = NULL, body = :nothing
WHERE account_id = :account_id AND receipt_id = :receipt_id;
