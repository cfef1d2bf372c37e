-- What was put aside of what asks for a person.

-- name: put_dismissal
INSERT INTO dismissals (account_id, item, dismissed_at)
VALUES (:account_id, :item, :now)
ON CONFLICT (account_id, item) DO UPDATE
SET dismissed_at = excluded.dismissed_at
WHERE dismissals.dismissed_at < excluded.dismissed_at;
