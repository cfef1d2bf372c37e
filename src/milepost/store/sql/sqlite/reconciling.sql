-- Reconciliations on SQLite.

-- name: running_reconciliation
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id = :account_id AND source = :source AND finished_at IS NULL;

-- name: clear_old_differences
DELETE FROM reconciliation_differences
WHERE account_id = :account_id AND run_id IN (
    SELECT run_id
    FROM reconciliations
    WHERE {is_old}
);
