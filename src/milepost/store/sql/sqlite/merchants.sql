-- Which orders a merchant's listing shows, by their ids. Each statement walks through one index,
-- which is named because SQLite keeps no statistics here; what else is asked for is looked at on
-- the way. A range of time is read in its own order first, up to as many as a listing reaches.

-- part: besides
    AND orders.store = :store -- if store
    AND orders.order_key IN (SELECT value FROM json_each(:order_keys)) -- if order_keys
    AND coalesce(orders.order_number, orders.order_key) -- if order_numbers
        IN (SELECT value FROM json_each(:order_numbers)) -- if order_numbers
    AND orders.state IN (SELECT value FROM json_each(:states)) -- if states
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
FROM orders INDEXED BY orders_by_key
WHERE orders.account_id = :account_id
{besides}
{a_page_of_ids};

-- name: listed_by_number
SELECT order_id
FROM (
    SELECT orders.order_id
    FROM orders INDEXED BY orders_by_number
    WHERE orders.account_id = :account_id
        AND orders.order_number IN (SELECT value FROM json_each(:order_numbers))
    {besides}
    UNION
    SELECT orders.order_id
    FROM orders INDEXED BY orders_by_key
    WHERE orders.account_id = :account_id
        AND orders.order_number IS NULL
        AND orders.order_key IN (SELECT value FROM json_each(:order_numbers))
    {besides}
) AS numbered
{a_page_of_ids};

-- name: listed_by_type
SELECT orders.order_id
FROM orders INDEXED BY orders_by_type
WHERE orders.account_id = :account_id
{besides}
{a_page_of_ids};

-- name: listed_by_shipping
SELECT order_id
FROM (
    SELECT orders.order_id
    FROM orders INDEXED BY orders_by_shipping
    WHERE orders.account_id = :account_id
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
    FROM orders INDEXED BY orders_by_update
    WHERE orders.account_id = :account_id
    {besides}
    ORDER BY orders.updated_at ASC -- if oldest_first
    ORDER BY orders.updated_at DESC -- if newest_first
    LIMIT :most
) AS ranged
{a_page_of_ids};

-- name: listed_in_state
SELECT orders.order_id
FROM orders INDEXED BY orders_by_state
WHERE orders.account_id = :account_id AND orders.state = :state
    AND orders.store = :store -- if store
    AND orders.order_type IS NULL -- if usual_type
{a_page_of_ids};

-- name: listed_by_store
SELECT orders.order_id
FROM orders INDEXED BY orders_by_store
WHERE orders.account_id = :account_id AND orders.store = :store
    AND orders.order_type IS NULL -- if usual_type
{a_page_of_ids};
