-- Silences on PostgreSQL: whoever raises or ends has the account's row of silence_watches locked, and
-- passes over it while somebody else has. Orders are locked without ever waiting for one.

-- part: silence_orders
-- Each by its whole key, whatever is known: joined as a table, all orders of the account might be.
LEFT JOIN LATERAL (
    SELECT orders.store, orders.order_key
    FROM orders
    WHERE orders.account_id = silences.account_id AND orders.order_id = silences.order_id
    OFFSET 0
) AS orders ON true

-- name: lock_silence_watch
SELECT {watch_columns}
FROM silence_watches
WHERE account_id = :account_id
FOR UPDATE SKIP LOCKED;

-- name: any_quiet_order
SELECT 1
FROM unnest(texts($1), texts($2), $3::text::bigint[]) AS wanted (account_id, state, before)
CROSS JOIN LATERAL (
    SELECT
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = wanted.account_id
        AND orders.state = wanted.state
        AND greatest(orders.state_at, orders.heard_at) <= wanted.before
        AND orders.silent_at IS NULL
        AND orders.erased_at IS NULL
        AND orders.order_id < 'tst_'
        AND orders.state NOT IN (
            'cancelled', 'returned', 'fulfilled_elsewhere', 'delivered', 'expired', 'untracked'
        )
    LIMIT 1
) AS found
LIMIT 1;

-- name: quiet_orders
SELECT wanted.position, found.*
FROM unnest(texts($1), texts($2), $3::text::bigint[]) WITH ORDINALITY
    AS wanted (account_id, state, before, position)
CROSS JOIN LATERAL (
    SELECT orders.order_id, greatest(orders.state_at, orders.heard_at) AS since_at
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = wanted.account_id
        AND orders.state = wanted.state
        AND greatest(orders.state_at, orders.heard_at) <= wanted.before
        AND orders.silent_at IS NULL
        AND orders.erased_at IS NULL
        AND orders.order_id < 'tst_'
        AND orders.state NOT IN (
            'cancelled', 'returned', 'fulfilled_elsewhere', 'delivered', 'expired', 'untracked'
        )
    ORDER BY greatest(orders.state_at, orders.heard_at)
    LIMIT $4
    FOR UPDATE SKIP LOCKED
) AS found
LIMIT $4;

-- name: insert_silences
INSERT INTO silences (
    account_id, number, order_id, kind, state, since_at, after_s, raised_at
)
SELECT
    unnest(texts($1)), unnest($2::text::bigint[]), unnest(texts($3)), unnest(texts($4)),
    unnest(texts($5)), unnest($6::text::bigint[]), unnest($7::text::bigint[]),
    unnest($8::text::bigint[])
ON CONFLICT DO NOTHING;

-- name: mark_silent
UPDATE orders
SET silent_at = greatest(state_at, heard_at), silent_state = state
FROM unnest(texts($1), texts($2)) AS raised (account_id, order_id)
WHERE orders.account_id = ANY (ARRAY[raised.account_id]) AND orders.order_id = raised.order_id;

-- name: any_moved_order
SELECT 1
FROM orders
WHERE orders.account_id COLLATE "POSIX" = :account_id
    AND orders.silent_at > -9223372036854775808
    AND orders.silent_at IS NOT NULL
    AND (
        orders.silent_at <> greatest(orders.state_at, orders.heard_at)
        OR orders.silent_state <> orders.state
        OR orders.erased_at IS NOT NULL
    )
LIMIT 1;

-- name: moved_orders
SELECT
    orders.order_id, orders.state,
    CASE
        WHEN orders.silent_state <> orders.state OR orders.silent_at < orders.state_at
            OR orders.erased_at IS NOT NULL THEN orders.updated_at
        ELSE orders.heard_at
    END
FROM orders
WHERE orders.account_id COLLATE "POSIX" = :account_id
    AND orders.silent_at > -9223372036854775808
    AND orders.silent_at IS NOT NULL
    AND (
        orders.silent_at <> greatest(orders.state_at, orders.heard_at)
        OR orders.silent_state <> orders.state
        OR orders.erased_at IS NOT NULL
    )
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: unmark_silent
UPDATE orders
SET silent_at = NULL, silent_state = NULL
FROM unnest(texts($1), texts($2)) AS ended (account_id, order_id)
WHERE orders.account_id = ANY (ARRAY[ended.account_id]) AND orders.order_id = ended.order_id;

-- name: open_silences_of
SELECT wanted.position, found.number, found.kind, found.raised_at
FROM unnest(texts($1), texts($2)) WITH ORDINALITY AS wanted (account_id, order_id, position)
CROSS JOIN LATERAL (
    SELECT silences.number, silences.kind, silences.raised_at, silences.ended_at
    FROM silences
    WHERE silences.account_id COLLATE "POSIX" = wanted.account_id
        AND silences.order_id = wanted.order_id
    OFFSET 0
) AS found
WHERE found.ended_at IS NULL;

-- name: first_untold_endings
SELECT {silence_columns}
FROM silences
{silence_orders}
WHERE silences.account_id COLLATE "POSIX" = :account_id AND silences.ended_number > :told
ORDER BY silences.ended_number
LIMIT :limit;

-- name: count_silences
SELECT kind, count(*)
FROM silences
WHERE ended_at IS NULL
GROUP BY kind;

-- name: put_heard
-- Only in the states in which a carrier's word counts that changes nothing, and never backwards.
-- Orders that somebody is at are passed over: whoever is changes them.
UPDATE orders
SET heard_at = found.heard_at
FROM (
    SELECT locked.account_id, locked.order_id, told.heard_at
    FROM unnest(texts($1), texts($2), $3::text::bigint[]) AS told (account_id, order_id, heard_at)
    CROSS JOIN LATERAL (
        SELECT orders.account_id, orders.order_id
        FROM orders
        WHERE orders.account_id = told.account_id
            AND orders.order_id = told.order_id
            AND orders.heard_at < told.heard_at
            AND orders.state IN (
                'shipped', 'info_received', 'in_transit', 'delayed', 'undeliverable', 'returning'
            )
        FOR UPDATE SKIP LOCKED
    ) AS locked
) AS found
WHERE orders.account_id = ANY (ARRAY[found.account_id]) AND orders.order_id = found.order_id;

-- name: clear_silences
DELETE FROM silences
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM silences
    WHERE account_id COLLATE "POSIX" = :account_id AND order_id = ANY (:order_ids)
    LIMIT :limit
));

-- name: erase_silences
DELETE FROM silences
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM silences
    WHERE account_id COLLATE "POSIX" = :account_id AND order_id = :order_id
    LIMIT :limit
));

-- name: open_silences_page
SELECT {silence_columns}
FROM silences
{silence_orders}
WHERE silences.account_id COLLATE "POSIX" = :account_id
    AND silences.number < :before
    AND silences.ended_at IS NULL
    AND silences.kind = :kind -- if kind
    AND silences.state = :state -- if state
ORDER BY silences.account_id COLLATE "POSIX" DESC, silences.number DESC
LIMIT :limit;

-- name: attending_silences
SELECT {silence_columns}
FROM silences
{silence_orders}
WHERE silences.account_id COLLATE "POSIX" = :account_id
    AND silences.number < :before
    AND silences.ended_at IS NULL
    AND silences.raised_at > :after -- if after
    AND NOT EXISTS (
        SELECT FROM dismissals
        WHERE dismissals.account_id = :account_id
            AND dismissals.item = 'silence:' || silences.number
        OFFSET 0
    )
ORDER BY silences.number DESC
LIMIT :limit;
