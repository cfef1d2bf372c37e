-- What is kept sealed, and what shows that the keys are the right ones.

-- name: seal_check
SELECT sealed
FROM seals
WHERE account_id = '' AND name = 'check';

-- name: keep_seal_check
INSERT INTO seals (account_id, name, sealed)
VALUES ('', 'check', :sealed)
ON CONFLICT (account_id, name) DO NOTHING;

-- name: replace_seal_check
INSERT INTO seals (account_id, name, sealed)
VALUES ('', 'check', :sealed)
ON CONFLICT (account_id, name) DO UPDATE SET sealed = excluded.sealed;

-- name: sealed_endpoints
SELECT account_id, endpoint_id, sealed
FROM endpoints
WHERE (account_id, endpoint_id) > (:account_id, :endpoint_id)
ORDER BY account_id, endpoint_id
LIMIT :limit;

-- name: forget_secrets
UPDATE endpoints
SET sealed = :sealed, state = 'paused', state_why = :why, updated_at = :now
WHERE account_id = :account_id AND endpoint_id = :endpoint_id;

-- name: reseal_endpoint
-- Only as long as nobody else has changed it.
UPDATE endpoints
SET sealed = :sealed
WHERE account_id = :account_id AND endpoint_id = :endpoint_id AND sealed = :before;
