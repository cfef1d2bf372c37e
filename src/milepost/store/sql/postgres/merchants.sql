-- Which orders a merchant's listing shows, by their ids. Each statement walks through one index,
-- which the spelling of the account and the order of the rows pick out (see the first migration);
-- what else is asked for is looked at on the way. A range of time is read in its own order first,
-- up to as many as a listing reaches.

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
SELECT order_id
FROM (SELECT DISTINCT unnest(:order_keys::text[]) AS order_key) AS wanted
CROSS JOIN LATERAL (
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = :account_id
        AND orders.order_key = wanted.order_key
    {besides}
    OFFSET 0
) AS keyed
{a_page_of_ids};

-- name: listed_by_number
SELECT order_id
FROM (SELECT DISTINCT unnest(:order_numbers::text[]) AS order_number) AS wanted
CROSS JOIN LATERAL (
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "ucs_basic" = :account_id
        AND orders.order_number = wanted.order_number
    {besides}
    UNION ALL
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = :account_id
        AND orders.order_number IS NULL
        AND orders.order_key = wanted.order_number
    {besides}
    OFFSET 0
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
    ORDER BY orders.account_id COLLATE "POSIX" ASC, orders.shipped_at ASC -- if oldest_first
    ORDER BY orders.account_id COLLATE "POSIX" DESC, orders.shipped_at DESC -- if newest_first
    LIMIT :most
) AS ranged
{a_page_of_ids};

-- name: listed_by_update
SELECT order_id
FROM (
    SELECT orders.order_id
    FROM orders
    WHERE orders.account_id COLLATE "POSIX" = :account_id
        AND orders.updated_at > 0
    {besides}
    ORDER BY orders.account_id COLLATE "POSIX" ASC, orders.updated_at ASC -- if oldest_first
    ORDER BY orders.account_id COLLATE "POSIX" DESC, orders.updated_at DESC -- if newest_first
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
            AND orders.order_type IS NULL -- if usual_type
        ORDER BY orders.order_id ASC -- if oldest_first
        ORDER BY orders.order_id DESC -- if newest_first
        LIMIT :reach
    ) AS part
    WHERE named.store IS NOT NULL
        AND named.store = :store -- if store
) AS parts
{a_page_of_ids};
