-- Watched parcels on PostgreSQL: claimed by any number of processes, each passing over what
-- another one has locked. The trackings of an account stand in its own time.

-- name: claim_trackings
WITH due AS MATERIALIZED (
    SELECT found.*
    FROM unnest(texts($1), $2::text::integer[]) AS wanted (account_id, room)
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT accounts.ahead FROM accounts WHERE accounts.account_id = wanted.account_id), 0
        ) AS ahead
        OFFSET 0
    ) AS clock
    CROSS JOIN LATERAL (
        SELECT
            trackings.account_id, trackings.order_id, trackings.parcel, clock.ahead
        FROM trackings
        WHERE trackings.account_id COLLATE "POSIX" = wanted.account_id
            AND trackings.due_at <= $3 + clock.ahead
        ORDER BY trackings.due_at
        LIMIT wanted.room
        FOR UPDATE SKIP LOCKED
    ) AS found
)
UPDATE trackings
SET due_at = $5 + due.ahead, lease_owner = $4
FROM due
WHERE trackings.account_id = ANY (ARRAY[due.account_id])
    AND trackings.order_id = due.order_id
    AND trackings.parcel = due.parcel
RETURNING {tracking_columns}, due.ahead;

-- name: settle_trackings
-- Only what is still leased as it was claimed: an update of the parcel may have begun it anew. The
-- comparison of times is one that no index can be chosen by.
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
FROM unnest(
    texts($1), texts($2), texts($3), $4::text::bigint[], $5::text::bigint[], $6::text::bigint[],
    $7::text::integer[], $8::text::integer[], $9::text::bigint[], texts($10), texts($11),
    texts($12)
) AS settled (
    account_id, order_id, parcel, leased_until, due_at, asked_at, asks, failures, returned_at,
    scans, ended, trouble
)
WHERE trackings.account_id = ANY (ARRAY[settled.account_id])
    AND trackings.order_id = settled.order_id
    AND trackings.parcel = settled.parcel
    AND trackings.lease_owner = $13
    AND trackings.due_at IS NOT DISTINCT FROM settled.leased_until
RETURNING 1;

-- name: lock_tracking
SELECT scans
FROM trackings
WHERE account_id = :account_id AND order_id = :order_id AND parcel = :parcel
FOR UPDATE;
