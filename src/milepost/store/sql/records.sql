-- Accounts, keys, stores and endpoints: what is set up once and read often.

-- part: key_columns
account_id, key_id, name, created_at, revoked_at

-- part: store_columns
account_id, store, number, name, created_at

-- part: endpoint_columns
account_id, endpoint_id, contract, url, schedule, created_at, updated_at, description, state,
state_why, stores, statuses, timeout_s, concurrency, lane_policy, options, sealed, state_at,
requests_per_s, pause_after_h, backlog_policy, operational

-- name: add_account
INSERT INTO accounts (account_id, name, created_at, sandbox)
VALUES (:account_id, :name, :created_at, :sandbox);

-- name: add_first_account
INSERT INTO accounts (account_id, name, created_at)
SELECT CAST(:account_id AS text), CAST(:name AS text), CAST(:created_at AS bigint)
WHERE NOT EXISTS (SELECT 1 FROM accounts);

-- name: accounts
SELECT account_id, name, created_at, sandbox
FROM accounts
ORDER BY created_at, account_id;

-- name: add_key
INSERT INTO api_keys (account_id, key_id, name, digest, created_at, revoked_at)
VALUES (:account_id, :key_id, :name, :digest, :created_at, :revoked_at);

-- name: keys
SELECT {key_columns}
FROM api_keys
WHERE account_id = :account_id
ORDER BY created_at, key_id;

-- name: revoke_key
UPDATE api_keys
SET revoked_at = coalesce(revoked_at, :now)
WHERE account_id = :account_id AND key_id = :key_id;

-- name: find_key
SELECT {key_columns}
FROM api_keys
WHERE account_id = :account_id AND digest = :digest;

-- name: insert_store
INSERT INTO stores (account_id, store, number, name, created_at)
VALUES (
    :account_id,
    :store,
    coalesce(
        :number,
        (SELECT coalesce(max(number), 0) + 1 FROM stores WHERE account_id = :account_id)
    ),
    :name,
    :now
);

-- name: update_store
UPDATE stores
SET name = :name, number = coalesce(:number, number)
WHERE account_id = :account_id AND store = :store;

-- name: store
SELECT {store_columns}
FROM stores
WHERE account_id = :account_id AND store = :store;

-- name: stores
SELECT {store_columns}
FROM stores
WHERE account_id = :account_id
ORDER BY number;

-- name: every_store
SELECT {store_columns}
FROM stores
ORDER BY account_id, store;

-- name: put_endpoint
-- Whether it is paused stays as it is: that changes with a notice and not by the way.
INSERT INTO endpoints ({endpoint_columns})
VALUES (
    :account_id, :endpoint_id, :contract, :url, :schedule, :created_at, :updated_at, :description,
    :state, :state_why, :stores, :statuses, :timeout_s, :concurrency, :lane_policy, :options,
    :sealed, :state_at, :requests_per_s, :pause_after_h, :backlog_policy, :operational
)
ON CONFLICT (account_id, endpoint_id) DO UPDATE
SET contract = excluded.contract,
    url = excluded.url,
    schedule = excluded.schedule,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    description = excluded.description,
    stores = excluded.stores,
    statuses = excluded.statuses,
    timeout_s = excluded.timeout_s,
    concurrency = excluded.concurrency,
    lane_policy = excluded.lane_policy,
    options = excluded.options,
    sealed = excluded.sealed,
    requests_per_s = excluded.requests_per_s,
    pause_after_h = excluded.pause_after_h,
    backlog_policy = excluded.backlog_policy,
    operational = excluded.operational;

-- name: endpoint
SELECT {endpoint_columns}
FROM endpoints
WHERE account_id = :account_id AND endpoint_id = :endpoint_id;

-- name: endpoints
SELECT {endpoint_columns}
FROM endpoints
WHERE account_id = :account_id
ORDER BY created_at, endpoint_id;

-- name: every_endpoint
SELECT {endpoint_columns}
FROM endpoints
ORDER BY account_id, created_at, endpoint_id;

-- name: set_endpoint_state
UPDATE endpoints
SET state = :state,
    state_why = :why,
    state_at = CASE WHEN state = :state THEN state_at ELSE :now END,
    updated_at = :now
WHERE account_id = :account_id AND endpoint_id = :endpoint_id;

-- name: delete_endpoint
DELETE FROM endpoints
WHERE account_id = :account_id AND endpoint_id = :endpoint_id;

-- name: abandon_endpoint
-- Every lane with pending deliveries has a row, so that the lanes name all there are.
UPDATE deliveries
SET state = 'abandoned', settled_at = :now, due_at = NULL
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND state = 'pending'
    AND order_id IN (
        SELECT order_id
        FROM lanes
        WHERE account_id = :account_id AND endpoint_id = :endpoint_id
    );

-- name: drop_lanes
DELETE FROM lanes
WHERE account_id = :account_id AND endpoint_id = :endpoint_id;

-- name: let_go_of_held_lanes
UPDATE lanes
SET due_at = (
    SELECT deliveries.due_at
    FROM deliveries
    WHERE deliveries.account_id = lanes.account_id
        AND deliveries.order_id = lanes.order_id
        AND deliveries.endpoint_id = lanes.endpoint_id
        AND deliveries.sequence = lanes.sequence
)
WHERE account_id = :account_id
    AND endpoint_id = :endpoint_id
    AND leased_until IS NULL
    AND due_at IS NULL;
