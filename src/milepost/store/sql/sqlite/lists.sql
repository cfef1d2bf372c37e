-- Lists on SQLite, page by page. The index is named where SQLite, which keeps no statistics here,
-- would rather walk through the whole account.

-- name: find_order_ids
SELECT order_id FROM orders WHERE account_id = :account_id AND order_id = :text
UNION
SELECT order_id FROM orders WHERE account_id = :account_id AND order_key = :text
UNION
SELECT order_id FROM orders WHERE account_id = :account_id AND order_number = :text
UNION
SELECT order_id FROM parcels WHERE account_id = :account_id AND tracking_number = :text
LIMIT 50;

-- name: orders_page
SELECT {order_columns}
FROM orders
    INDEXED BY orders_by_state -- if by_state
    INDEXED BY orders_by_store -- if by_store
JOIN order_contents
    ON order_contents.account_id = orders.account_id
    AND order_contents.order_id = orders.order_id
WHERE orders.account_id = :account_id
    AND orders.state = :state -- if state
    AND orders.store = :store -- if store
    AND orders.order_id < :after_order -- if after_order
ORDER BY orders.order_id DESC
LIMIT :limit;

-- name: quarantine_page
SELECT {quarantine_columns}
FROM quarantine
WHERE account_id = :account_id
    AND verdict = :verdict -- if verdict
    AND verdict NOT IN ('applied', 'duplicate') -- if every_verdict
    AND (received_at, update_id) < (:after_received, :after_update) -- if after_update
ORDER BY received_at DESC, update_id DESC
LIMIT :limit;

-- name: deliveries_page
SELECT {delivery_columns}
FROM deliveries
    INDEXED BY sqlite_autoindex_deliveries_1 -- if by_order
    INDEXED BY deliveries_by_endpoint -- if by_endpoint
    INDEXED BY deliveries_open -- if by_state
    INDEXED BY deliveries_by_time -- if by_time
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id -- if endpoint_id
    AND order_id = :order_id -- if order_id
    AND state = :state -- if state
    AND state <> 'acknowledged' -- if by_state
    AND (created_at, order_id, sequence, endpoint_id) -- if after_endpoint
        < (:after_created, :after_order, :after_sequence, :after_endpoint) -- if after_endpoint
ORDER BY created_at DESC, order_id DESC, sequence DESC, endpoint_id DESC
LIMIT :limit;
