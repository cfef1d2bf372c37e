-- Silences on SQLite: one writer at a time, so that nobody else can raise the same.

-- part: silence_orders
LEFT JOIN orders
    ON orders.account_id = silences.account_id AND orders.order_id = silences.order_id

-- name: quiet_orders
SELECT orders.order_id, max(orders.state_at, orders.heard_at)
FROM orders INDEXED BY orders_quiet
WHERE orders.account_id = :account_id
    AND orders.state = :state
    AND max(orders.state_at, orders.heard_at) <= :before
    AND orders.silent_at IS NULL
    AND orders.erased_at IS NULL
    AND orders.order_id < 'tst_'
    AND orders.state NOT IN (
        'cancelled', 'returned', 'fulfilled_elsewhere', 'delivered', 'expired', 'untracked'
    )
ORDER BY max(orders.state_at, orders.heard_at)
LIMIT :limit;

-- name: insert_silences
INSERT INTO silences (
    account_id, number, order_id, kind, state, since_at, after_s, raised_at
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: mark_silent
WITH raised (account_id, order_id) AS (VALUES (?, ?))
UPDATE orders
SET silent_at = max(state_at, heard_at), silent_state = state
FROM raised
WHERE orders.account_id = raised.account_id AND orders.order_id = raised.order_id;

-- name: moved_orders
SELECT
    orders.order_id, orders.state,
    CASE
        WHEN orders.silent_state <> orders.state OR orders.silent_at < orders.state_at
            OR orders.erased_at IS NOT NULL THEN orders.updated_at
        ELSE orders.heard_at
    END
FROM orders INDEXED BY orders_moved_on
WHERE orders.account_id = :account_id
    AND orders.silent_at > -9223372036854775808
    AND orders.silent_at IS NOT NULL
    AND (
        orders.silent_at <> max(orders.state_at, orders.heard_at)
        OR orders.silent_state <> orders.state
        OR orders.erased_at IS NOT NULL
    )
LIMIT :limit;

-- name: unmark_silent
WITH ended (account_id, order_id) AS (VALUES (?, ?))
UPDATE orders
SET silent_at = NULL, silent_state = NULL
FROM ended
WHERE orders.account_id = ended.account_id AND orders.order_id = ended.order_id;

-- name: open_silences_of
WITH wanted (position, account_id, order_id) AS (VALUES (?, ?, ?))
SELECT wanted.position, silences.number, silences.kind, silences.raised_at
FROM wanted
CROSS JOIN silences INDEXED BY silences_of_order
    ON silences.account_id = wanted.account_id AND silences.order_id = wanted.order_id
WHERE silences.ended_at IS NULL;

-- name: first_untold_endings
SELECT {silence_columns}
FROM silences INDEXED BY silences_ended
{silence_orders}
WHERE silences.account_id = :account_id AND silences.ended_number > :told
ORDER BY silences.ended_number
LIMIT :limit;

-- name: count_silences
SELECT kind, count(*)
FROM silences INDEXED BY silences_open
WHERE ended_at IS NULL
GROUP BY kind;

-- name: put_heard
-- Only in the states in which a carrier's word counts that changes nothing, and never backwards.
WITH told (account_id, order_id, heard_at) AS (VALUES (?, ?, ?))
UPDATE orders
SET heard_at = told.heard_at
FROM told
WHERE orders.account_id = told.account_id
    AND orders.order_id = told.order_id
    AND orders.heard_at < told.heard_at
    AND orders.state IN (
        'shipped', 'info_received', 'in_transit', 'delayed', 'undeliverable', 'returning'
    );

-- name: open_silences_page
SELECT {silence_columns}
FROM silences INDEXED BY silences_open
{silence_orders}
WHERE silences.account_id = :account_id
    AND silences.number < :before
    AND silences.ended_at IS NULL
    AND silences.kind = :kind -- if kind
    AND silences.state = :state -- if state
ORDER BY silences.number DESC
LIMIT :limit;

-- name: clear_silences
DELETE FROM silences
WHERE (account_id, number) IN (
    SELECT account_id, number
    FROM silences INDEXED BY silences_of_order
    WHERE account_id = :account_id AND order_id = :order_id
    LIMIT :limit
);

-- name: erase_silences
DELETE FROM silences
WHERE (account_id, number) IN (
    SELECT account_id, number
    FROM silences INDEXED BY silences_of_order
    WHERE account_id = :account_id AND order_id = :order_id
    LIMIT :limit
);

-- name: attending_silences
SELECT {silence_columns}
FROM silences INDEXED BY silences_open
{silence_orders}
WHERE silences.account_id = :account_id
    AND silences.number < :before
    AND silences.ended_at IS NULL
    AND silences.raised_at > :after -- if after
    AND NOT EXISTS (
        SELECT 1
        FROM dismissals
        WHERE dismissals.account_id = :account_id
            AND dismissals.item = 'silence:' || silences.number
    )
ORDER BY silences.number DESC
LIMIT :limit;
