-- Watched parcels on SQLite: claimed by one writer, so that nobody else can be in the way.

-- name: due_trackings
-- By the time of the account, in which its trackings stand.
SELECT
    {tracking_columns},
    coalesce((SELECT ahead FROM accounts WHERE accounts.account_id = :account_id), 0)
FROM trackings INDEXED BY trackings_due
WHERE account_id = :account_id
    AND due_at <= :now + coalesce(
        (SELECT ahead FROM accounts WHERE accounts.account_id = :account_id), 0
    )
ORDER BY due_at
LIMIT :limit;

-- name: lease_trackings
WITH leased (account_id, order_id, parcel, lease_owner, due_at) AS (
    VALUES (?, ?, ?, ?, ?)
)
UPDATE trackings
SET due_at = leased.due_at, lease_owner = leased.lease_owner
FROM leased
WHERE trackings.account_id = leased.account_id
    AND trackings.order_id = leased.order_id
    AND trackings.parcel = leased.parcel;

-- name: settle_trackings
-- Only what is still leased as it was claimed: an update of the parcel may have begun it anew.
WITH settled (
    account_id, order_id, parcel, lease_owner, leased_until, due_at, asked_at, asks, failures,
    returned_at, scans, ended, trouble
) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE trackings
SET due_at = settled.due_at,
    lease_owner = NULL,
    asked_at = settled.asked_at,
    asks = settled.asks,
    failures = settled.failures,
    returned_at = settled.returned_at,
    scans = settled.scans,
    ended = settled.ended,
    trouble = settled.trouble
FROM settled
WHERE trackings.account_id = settled.account_id
    AND trackings.order_id = settled.order_id
    AND trackings.parcel = settled.parcel
    AND trackings.lease_owner = settled.lease_owner
    AND trackings.due_at = settled.leased_until
RETURNING 1;
