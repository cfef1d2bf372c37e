-- What is set up on PostgreSQL, where it is not the same for every database. Whoever changes a
-- store or an endpoint holds off the account's intake for as long as that transaction takes.

-- name: hold_setup
SELECT pg_advisory_xact_lock(1297435972, hashtext(:account_id));

-- name: share_setup
SELECT pg_advisory_xact_lock_shared(1297435972, hashtext(:account_id));

-- name: hold_first_account
SELECT pg_advisory_xact_lock(1297435981, 2);

-- name: hold_first_operator
SELECT pg_advisory_xact_lock(1297435981, 3);

-- name: raise_setup_version
INSERT INTO setups (account_id, version)
VALUES (:account_id, 1)
ON CONFLICT (account_id) DO UPDATE SET version = setups.version + 1;

-- name: wake_others
SELECT pg_notify('milepost_due', '');

-- name: read_whole_tables
-- For what counts everything: until the transaction ends.
SELECT
    set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'on', true);
