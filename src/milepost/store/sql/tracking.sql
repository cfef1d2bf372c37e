-- Carrier sources, and the parcels that are watched.

-- part: carrier_source_columns
carrier_sources.account_id, carrier_sources.source, carrier_sources.kind,
carrier_sources.carriers, carrier_sources.config, carrier_sources.sealed,
carrier_sources.created_at, carrier_sources.updated_at

-- part: tracking_columns
trackings.account_id, trackings.order_id, trackings.parcel, trackings.since_at,
trackings.due_at, trackings.asked_at, trackings.asks, trackings.failures,
trackings.returned_at, trackings.scans, trackings.ended, trackings.trouble

-- name: put_carrier_source
INSERT INTO carrier_sources (
    account_id, source, kind, carriers, config, sealed, created_at, updated_at
)
VALUES (:account_id, :source, :kind, :carriers, :config, :sealed, :created_at, :updated_at)
ON CONFLICT (account_id, source) DO UPDATE
SET kind = excluded.kind,
    carriers = excluded.carriers,
    config = excluded.config,
    sealed = excluded.sealed,
    updated_at = excluded.updated_at;

-- name: carrier_sources
SELECT {carrier_source_columns}
FROM carrier_sources
WHERE account_id = :account_id
ORDER BY source;

-- name: every_carrier_source
SELECT {carrier_source_columns}
FROM carrier_sources
ORDER BY account_id, source;

-- name: reseal_carrier_source
-- Only as long as nobody else has changed it.
UPDATE carrier_sources
SET sealed = :sealed
WHERE account_id = :account_id AND source = :source AND sealed = :before;

-- name: delete_carrier_source
DELETE FROM carrier_sources
WHERE account_id = :account_id AND source = :source;

-- name: trackings_of
SELECT {tracking_columns}
FROM trackings
WHERE account_id = :account_id AND order_id = :order_id
ORDER BY parcel;

-- name: set_scans
UPDATE trackings
SET scans = :scans
WHERE account_id = :account_id AND order_id = :order_id AND parcel = :parcel;

-- name: last_of_a_page_of_parcels
SELECT order_id, parcel
FROM parcels
WHERE account_id = :account_id AND (order_id, parcel) > (:order_id, :parcel)
ORDER BY order_id, parcel
LIMIT 1 OFFSET :skipped;

-- name: begin_trackings
-- The same parcels that the triggers on this table would have begun with.
INSERT INTO trackings (account_id, order_id, parcel, since_at, due_at)
SELECT account_id, order_id, parcel, coalesce(created_at, state_at), :now
FROM parcels
WHERE account_id = :account_id
    AND (order_id, parcel) > (:order_id, :parcel)
    AND (order_id, parcel) <= (:last_order, :last_parcel) -- if last_order
    AND (order_id < 'tst_' OR order_id >= 'tst`')
    AND state IS NOT NULL
    AND state NOT IN ('delivered', 'returned', 'expired')
ON CONFLICT (account_id, order_id, parcel) DO NOTHING;
