-- Reconciliations on PostgreSQL.

-- name: running_reconciliation
SELECT {reconciliation_columns}
FROM reconciliations
WHERE account_id COLLATE "POSIX" = :account_id AND source = :source AND finished_at IS NULL;
