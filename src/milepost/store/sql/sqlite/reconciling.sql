-- Reconciliations on SQLite.

-- name: running_reconciliation
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id = :account_id AND source = :source AND finished_at IS NULL;
