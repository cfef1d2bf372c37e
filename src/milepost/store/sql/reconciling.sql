-- Reconciliations: which orders were compared with a provider's, and what differed.

-- part: reconciliation_columns
account_id, run_id, source, choice, dry_run, asked_at, due_at, total, listed_since, state, place,
examined, asked, differences, applied, failures, finished_at, why

-- part: difference_columns
subject, item, order_id, store, order_key, kind, parcel, ours, theirs, verdict, why, pending

-- part: is_old
-- A run that was finished before so many others of its source.
account_id = :account_id AND source = :source AND finished_at IS NOT NULL
    AND run_id <= (
        SELECT run_id
        FROM reconciliations
        WHERE account_id = :account_id AND source = :source AND finished_at IS NOT NULL
        ORDER BY run_id DESC
        LIMIT 1 OFFSET :keep
    )

-- name: add_reconciliation
INSERT INTO reconciliations ({reconciliation_columns})
VALUES (
    :account_id, :run_id, :source, :choice, :dry_run, :asked_at, :due_at, :total, :listed_since,
    :state, :place, :examined, :asked, :differences, :applied, :failures, :finished_at, :why
);

-- name: last_reconciliation
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id = :account_id AND source = :source AND dry_run = 0
    AND choice LIKE '{"what":"open"%'
ORDER BY run_id DESC
LIMIT 1;

-- name: failed_reconciliations
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id = :account_id AND state = 'failed' AND run_id IN (
    SELECT max(run_id)
    FROM reconciliations
    WHERE account_id = :account_id AND finished_at IS NOT NULL
    GROUP BY source
)
ORDER BY source;

-- name: one_reconciliation
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id = :account_id AND run_id = :run_id;

-- name: reconciliations_page
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id = :account_id
    AND source = :source -- if source
    AND run_id < :after_run -- if after_run
ORDER BY run_id DESC
LIMIT :limit;

-- name: due_reconciliations
SELECT {reconciliation_columns}
FROM reconciliations
WHERE finished_at IS NULL AND due_at <= :now
    AND (leased_until IS NULL OR leased_until <= :now)
ORDER BY run_id
LIMIT :limit;

-- name: take_reconciliation
UPDATE reconciliations
SET lease_owner = :owner, leased_until = :until
WHERE account_id = :account_id AND run_id = :run_id AND state = 'running'
    AND (leased_until IS NULL OR leased_until <= :now OR lease_owner = :owner)
RETURNING {reconciliation_columns};

-- name: keep_reconciliation
-- Only as long as nobody else has gone on with it.
UPDATE reconciliations
SET leased_until = :until
WHERE account_id = :account_id AND run_id = :run_id AND state = 'running'
    AND lease_owner = :owner AND place = :known_place;

-- name: advance_reconciliation
UPDATE reconciliations
SET place = :place,
    examined = examined + :examined,
    asked = asked + :asked,
    differences = differences + :differences,
    applied = applied + :applied,
    failures = 0,
    state = :state,
    due_at = :now,
    finished_at = :finished_at,
    why = ''
WHERE account_id = :account_id AND run_id = :run_id
RETURNING {reconciliation_columns};

-- name: put_off_reconciliation
UPDATE reconciliations
SET due_at = :due_at, failures = :failures, why = :why, lease_owner = NULL, leased_until = NULL
WHERE account_id = :account_id AND run_id = :run_id AND state = 'running'
    AND lease_owner = :owner;

-- name: end_reconciliation
UPDATE reconciliations
SET state = :state, finished_at = :now, why = :why
WHERE account_id = :account_id AND run_id = :run_id AND state = 'running';

-- name: put_difference
INSERT INTO reconciliation_differences (account_id, run_id, {difference_columns})
VALUES (
    :account_id, :run_id, :subject, :item, :order_id, :store, :order_key, :kind, :parcel, :ours,
    :theirs, :verdict, :why, :pending
)
ON CONFLICT (account_id, run_id, subject, item) DO UPDATE
SET ours = excluded.ours,
    theirs = excluded.theirs,
    verdict = excluded.verdict,
    why = excluded.why,
    pending = excluded.pending;

-- name: settle_differences
UPDATE reconciliation_differences
SET verdict = 'applied', pending = 0, why = :why
WHERE account_id = :account_id AND run_id = :run_id AND pending = 1;

-- name: pending_differences
SELECT order_id
FROM reconciliation_differences
WHERE account_id = :account_id AND run_id = :run_id AND pending = 1;

-- name: erase_differences
DELETE FROM reconciliation_differences
WHERE account_id = :account_id AND order_id = :order_id;

-- name: differences_page
SELECT {difference_columns}
FROM reconciliation_differences
WHERE account_id = :account_id AND run_id = :run_id
    AND (subject, item) > (:after_subject, :after_item) -- if after_subject
ORDER BY subject, item
LIMIT :limit;

-- name: clear_old_reconciliations
DELETE FROM reconciliations
WHERE {is_old};

-- name: order_standings
SELECT order_id, store, state, updated_at, heard_at
FROM orders
WHERE account_id = :account_id AND order_id > :after AND order_id < :before
    AND erased_at IS NULL
ORDER BY order_id
LIMIT :limit;

-- name: number_of_orders
SELECT count(*)
FROM (
    SELECT order_id
    FROM orders
    WHERE account_id = :account_id AND store = :store
    LIMIT :most
) AS found;
