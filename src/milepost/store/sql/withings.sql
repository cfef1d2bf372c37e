-- Client applications, their nonces and calls, and the fake orders that still live.

-- part: client_columns
client_applications.account_id, client_applications.client_id, client_applications.name,
client_applications.billing_id, client_applications.sealed, client_applications.store,
client_applications.endpoint_id, client_applications.created_at, client_applications.updated_at

-- name: add_client_id
INSERT INTO client_ids (client_id, account_id)
VALUES (:client_id, :account_id);

-- name: add_client
INSERT INTO client_applications (
    account_id, client_id, name, billing_id, sealed, store, endpoint_id, created_at, updated_at
)
VALUES (
    :account_id, :client_id, :name, :billing_id, :sealed, :store, :endpoint_id, :created_at,
    :updated_at
);

-- name: change_client
UPDATE client_applications
SET name = :name,
    billing_id = :billing_id,
    sealed = :sealed,
    endpoint_id = :endpoint_id,
    updated_at = :updated_at
WHERE account_id = :account_id AND client_id = :client_id;

-- name: delete_client
DELETE FROM client_applications
WHERE account_id = :account_id AND client_id = :client_id;

-- name: delete_client_id
DELETE FROM client_ids
WHERE client_id = :client_id;

-- name: delete_client_nonces
DELETE FROM nonces
WHERE account_id = :account_id AND client_id = :client_id;

-- name: delete_client_calls
DELETE FROM client_calls
WHERE account_id = :account_id AND client_id = :client_id;

-- name: client
SELECT {client_columns}
FROM client_applications
WHERE account_id = :account_id AND client_id = :client_id;

-- name: clients
SELECT {client_columns}
FROM client_applications
WHERE account_id = :account_id
ORDER BY created_at, client_id;

-- name: find_client
SELECT {client_columns}
FROM client_ids
JOIN client_applications
    ON client_applications.account_id = client_ids.account_id
    AND client_applications.client_id = client_ids.client_id
WHERE client_ids.client_id = :client_id;

-- name: sealed_clients
SELECT account_id, client_id, sealed
FROM client_applications;

-- name: reseal_client
-- Only as long as nobody else has changed it.
UPDATE client_applications
SET sealed = :sealed
WHERE account_id = :account_id AND client_id = :client_id AND sealed = :before;

-- name: count_call
-- Which one it is since the first call of the time in which calls are counted.
INSERT INTO client_calls (account_id, client_id, began_at, calls)
VALUES (:account_id, :client_id, :now, 1)
ON CONFLICT (account_id, client_id) DO UPDATE
SET began_at = CASE
        WHEN client_calls.began_at > :before AND client_calls.began_at <= excluded.began_at
        THEN client_calls.began_at
        ELSE excluded.began_at
    END,
    calls = CASE
        WHEN client_calls.began_at > :before AND client_calls.began_at <= excluded.began_at
        THEN client_calls.calls + 1
        ELSE 1
    END
RETURNING calls;

-- name: add_nonce
INSERT INTO nonces (account_id, client_id, nonce, expires_at)
VALUES (:account_id, :client_id, :nonce, :expires_at);

-- name: use_nonce
DELETE FROM nonces
WHERE account_id = :account_id AND client_id = :client_id AND nonce = :nonce
RETURNING expires_at;

-- name: drop_old_nonces
DELETE FROM nonces
WHERE account_id = :account_id AND client_id = :client_id AND expires_at <= :now;

-- name: claim_rehearsals
UPDATE rehearsals
SET due_at = :until, claimed = 1
WHERE (account_id, order_id) IN (
    SELECT due.account_id, due.order_id
    FROM rehearsals AS due
    WHERE due.due_at <= :now
    ORDER BY due.due_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED -- if among_others
)
RETURNING account_id, order_id, mode, step, due_at;

-- name: next_rehearsal_at
SELECT min(due_at)
FROM rehearsals;

-- name: put_rehearsal
UPDATE rehearsals
SET step = :step, due_at = :due_at, claimed = 0
WHERE account_id = :account_id AND order_id = :order_id AND step = :step - 1;

-- name: end_rehearsal
DELETE FROM rehearsals
WHERE account_id = :account_id AND order_id = :order_id AND step = :step;
