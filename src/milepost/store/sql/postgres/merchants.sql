-- Which orders a merchant's listing shows, by their ids. Each statement walks through one index,
-- which the spelling of the account's order picks out (see the first migration); what else is asked
-- for is looked at on the way. A range of time is read in its own order first, up to as many as a
-- listing reaches.

-- part: besides
    AND orders.store = :store -- if store
    AND orders.order_key = ANY (:order_keys::text[]) -- if order_keys
    AND coalesce(orders.order_number, orders.order_key) -- if order_numbers
        = ANY (:order_numbers::text[]) -- if order_numbers
    AND orders.state = ANY (:states::text[]) -- if states
    AND orders.order_type = :order_type -- if order_type
    AND orders.order_type IS NULL -- if usual_type
    AND orders.updated_at >= :updated_from -- if updated_from
    AND orders.updated_at <= :updated_to -- if updated_to
    AND orders.shipped_at >= :shipped_from -- if shipped_from
    AND orders.shipped_at <= :shipped_to -- if shipped_to

-- part: a_page_of_ids
ORDER BY order_id ASC -- if oldest_first
ORDER BY order_id DESC -- if newest_first
LIMIT :limit OFFSET :skip

-- name: listed
SELECT orders.order_id
FROM orders
WHERE orders.account_id = :account_id
{besides}
{a_page_of_ids};

-- name: listed_by_key
SELECT orders.order_id
FROM orders
WHERE orders.account_id COLLATE "POSIX" = :account_id
{besides}
{a_page_of_ids};

-- name: listed_by_number
SELECT order_id
FROM (
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "ucs_basic" = :account_id
        AND orders.order_number IS NOT NULL
        AND orders.order_number = ANY (:order_numbers::text[])
    {besides}
    UNION
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = :account_id
        AND orders.order_number IS NULL
        AND orders.order_key = ANY (:order_numbers::text[])
    {besides}
) AS numbered
{a_page_of_ids};

-- name: listed_by_type
SELECT orders.order_id
FROM orders
WHERE orders.account_id COLLATE "POSIX" = :account_id
{besides}
{a_page_of_ids};

-- name: listed_by_shipping
SELECT order_id
FROM (
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = :account_id
        AND orders.shipped_at IS NOT NULL
    {besides}
    ORDER BY orders.shipped_at ASC -- if oldest_first
    ORDER BY orders.shipped_at DESC -- if newest_first
    LIMIT :most
) AS ranged
{a_page_of_ids};

-- name: listed_by_update
SELECT order_id
FROM (
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = :account_id
    {besides}
    ORDER BY orders.updated_at ASC -- if oldest_first
    ORDER BY orders.updated_at DESC -- if newest_first
    LIMIT :most
) AS ranged
{a_page_of_ids};

-- name: listed_in_states
WITH {stores_that_have_orders}
SELECT order_id
FROM (
    SELECT part.order_id
    FROM named
    CROSS JOIN unnest(:states::text[]) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT orders.order_id
        FROM orders
        WHERE orders.account_id COLLATE "ucs_basic" = :account_id
            AND orders.store = named.store
            AND orders.state = wanted.state
        ORDER BY orders.order_id ASC -- if oldest_first
        ORDER BY orders.order_id DESC -- if newest_first
        LIMIT :reach
    ) AS part
    WHERE named.store IS NOT NULL
) AS parts
{a_page_of_ids};
