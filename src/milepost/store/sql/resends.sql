-- Resends: what an operator asked to be sent again, and how far each has come.

-- part: resend_columns
account_id, resend_id, endpoint_id, choice, asked_at, state, place, examined, queued, finished_at,
why

-- name: add_resend
INSERT INTO resends ({resend_columns})
VALUES (
    :account_id, :resend_id, :endpoint_id, :choice, :asked_at, :state, :place, :examined, :queued,
    :finished_at, :why
);

-- name: one_resend
SELECT {resend_columns}
FROM resends
WHERE account_id = :account_id AND resend_id = :resend_id;

-- name: resends_page
SELECT {resend_columns}
FROM resends
WHERE account_id = :account_id
    AND resend_id < :after_resend -- if after_resend
ORDER BY resend_id DESC
LIMIT :limit;

-- name: running_resends
SELECT {resend_columns}
FROM resends
WHERE finished_at IS NULL
ORDER BY resend_id
LIMIT :limit;

-- name: advance_resend
-- Only as long as nobody else has gone on with it.
UPDATE resends
SET place = :place,
    examined = examined + :examined,
    state = :state,
    finished_at = :finished_at
WHERE account_id = :account_id
    AND resend_id = :resend_id
    AND state = 'running'
    AND place = :known_place;

-- name: count_queued
UPDATE resends
SET queued = queued + :queued
WHERE account_id = :account_id AND resend_id = :resend_id;

-- name: stop_resend
UPDATE resends
SET state = 'stopped', finished_at = :now, why = :why
WHERE account_id = :account_id AND resend_id = :resend_id AND state = 'running';

-- name: changed_orders
SELECT order_id, created_at, updated_at
FROM orders
WHERE account_id = :account_id AND order_id > :after
ORDER BY order_id
LIMIT :limit;
