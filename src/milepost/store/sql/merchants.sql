-- What a merchant's order interface reads beside orders: warehouses, and what the account is called.

-- name: account_name
SELECT name FROM accounts WHERE account_id = :account_id;

-- name: warehouses
SELECT
    account_id, identifier, number, name, timezone, created_at, wms_type, enabled, address
FROM warehouses
WHERE account_id = :account_id
ORDER BY number;

-- name: warehouse
SELECT
    account_id, identifier, number, name, timezone, created_at, wms_type, enabled, address
FROM warehouses
WHERE account_id = :account_id AND identifier = :identifier;

-- name: update_warehouse
UPDATE warehouses
SET
    number = coalesce(nullif(:number, 0), number),
    name = :name,
    timezone = :timezone,
    wms_type = :wms_type,
    enabled = :enabled,
    address = :address
WHERE account_id = :account_id AND identifier = :identifier;

-- name: insert_warehouse
INSERT INTO warehouses (
    account_id, identifier, number, name, timezone, wms_type, enabled, address, created_at
)
VALUES (
    :account_id,
    :identifier,
    coalesce(
        nullif(:number, 0),
        (SELECT coalesce(max(number), 0) + 1 FROM warehouses WHERE account_id = :account_id)
    ),
    :name,
    :timezone,
    :wms_type,
    :enabled,
    :address,
    :created_at
);
