-- Reconciliations on PostgreSQL.

-- name: running_reconciliation
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id COLLATE "POSIX" = :account_id AND source = :source AND finished_at IS NULL;

-- name: clear_old_differences
-- Run by run, in the order of the key, and not all of the account to choose among them.
DELETE FROM reconciliation_differences
WHERE account_id = :account_id AND run_id = ANY (ARRAY(
    SELECT run_id
    FROM reconciliations
    WHERE {is_old}
));
