-- The networks that notifications are sent from: what was planned, never taken back but cancelled.

-- name: egress_changes
SELECT change_id, network, action, effective_at, planned_at, forced, cancelled_at
FROM egress_changes
ORDER BY effective_at, planned_at, change_id;

-- name: add_egress_change
INSERT INTO egress_changes (change_id, network, action, effective_at, planned_at, forced)
VALUES (:change_id, :network, :action, :effective_at, :planned_at, :forced);

-- name: cancel_egress_change
UPDATE egress_changes
SET cancelled_at = :now
WHERE change_id = :change_id AND cancelled_at IS NULL;
