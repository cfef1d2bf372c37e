"""The inbox's tables and statements, in words that SQLite and PostgreSQL share.

Times are microseconds since the epoch. A sequence of 0 stands for none.
"""

from __future__ import annotations

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS milepost_inbox (
        inbox TEXT NOT NULL,
        delivery_id TEXT NOT NULL,
        order_name TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        headers TEXT NOT NULL,
        body BYTEA NOT NULL,
        received_at BIGINT NOT NULL,
        failures BIGINT NOT NULL,
        done_at BIGINT,
        outcome TEXT,
        why TEXT,
        PRIMARY KEY (inbox, delivery_id)
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS milepost_inbox_by_order
        ON milepost_inbox (inbox, order_name, sequence)
    """,
    """
    CREATE INDEX IF NOT EXISTS milepost_inbox_open
        ON milepost_inbox (inbox, order_name, sequence, received_at, delivery_id)
        WHERE done_at IS NULL
    """,
    """
    CREATE TABLE IF NOT EXISTS milepost_inbox_orders (
        inbox TEXT NOT NULL,
        order_name TEXT NOT NULL,
        kept_sequence BIGINT NOT NULL,
        done_sequence BIGINT NOT NULL,
        due_at BIGINT,
        PRIMARY KEY (inbox, order_name)
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS milepost_inbox_orders_due
        ON milepost_inbox_orders (inbox, due_at)
        WHERE due_at IS NOT NULL
    """,
    """
    CREATE TABLE IF NOT EXISTS milepost_inbox_places (
        inbox TEXT NOT NULL PRIMARY KEY,
        place TEXT NOT NULL,
        kept_at BIGINT NOT NULL
    )
    """,
)

# keeping

ADD = """
INSERT INTO milepost_inbox (
    inbox, delivery_id, order_name, sequence, headers, body, received_at, failures
)
VALUES (:inbox, :delivery_id, :order_name, :sequence, :headers, :body, :now, 0)
ON CONFLICT DO NOTHING
"""
HAS = """
SELECT 1 FROM milepost_inbox
WHERE inbox = :inbox AND order_name = :order_name AND sequence = :sequence
LIMIT 1
"""
ADD_ORDER = """
INSERT INTO milepost_inbox_orders (inbox, order_name, kept_sequence, done_sequence, due_at)
VALUES (:inbox, :order_name, 0, 0, :now)
ON CONFLICT DO NOTHING
"""
WAKE_ORDER = """
UPDATE milepost_inbox_orders
SET due_at = COALESCE(due_at, :now)
WHERE inbox = :inbox AND order_name = :order_name
"""
SEQUENCES = """
SELECT kept_sequence, done_sequence FROM milepost_inbox_orders
WHERE inbox = :inbox AND order_name = :order_name
"""
NOTE_KEPT = """
UPDATE milepost_inbox_orders
SET kept_sequence = :sequence
WHERE inbox = :inbox AND order_name = :order_name AND kept_sequence < :sequence
"""

# working

DUE_ORDERS = """
SELECT order_name FROM milepost_inbox_orders
WHERE inbox = :inbox AND due_at <= :now
ORDER BY due_at
LIMIT 100
"""
CLAIM_ORDER = """
UPDATE milepost_inbox_orders
SET due_at = :until
WHERE inbox = :inbox AND order_name = :order_name AND due_at <= :now
"""
NEXT_ENTRY = """
SELECT delivery_id, sequence, headers, body, failures FROM milepost_inbox
WHERE inbox = :inbox AND order_name = :order_name AND done_at IS NULL
ORDER BY sequence, received_at, delivery_id
LIMIT 1
"""
MARK = """
UPDATE milepost_inbox
SET done_at = :now, outcome = :outcome, why = :why
WHERE inbox = :inbox AND delivery_id = :delivery_id AND done_at IS NULL
"""
LOCK_ORDER = """
UPDATE milepost_inbox_orders
SET due_at = due_at
WHERE inbox = :inbox AND order_name = :order_name
"""
ADVANCE = """
UPDATE milepost_inbox_orders
SET done_sequence = CASE WHEN done_sequence < :sequence THEN :sequence ELSE done_sequence END,
    due_at = CASE
        WHEN EXISTS (
            SELECT 1 FROM milepost_inbox
            WHERE inbox = :inbox AND order_name = :order_name AND done_at IS NULL
        ) THEN :now
        ELSE NULL
    END
WHERE inbox = :inbox AND order_name = :order_name
"""
NOTE_FAILURE = """
UPDATE milepost_inbox
SET failures = failures + 1, why = :why
WHERE inbox = :inbox AND delivery_id = :delivery_id AND done_at IS NULL
"""
POSTPONE = """
UPDATE milepost_inbox_orders
SET due_at = :until
WHERE inbox = :inbox AND order_name = :order_name
"""

# looking after it

WAITING = "SELECT COUNT(*) FROM milepost_inbox WHERE inbox = :inbox AND done_at IS NULL"
PRUNE = "DELETE FROM milepost_inbox WHERE inbox = :inbox AND done_at < :before"
PLACE = "SELECT place FROM milepost_inbox_places WHERE inbox = :inbox"
KEEP_PLACE = """
INSERT INTO milepost_inbox_places (inbox, place, kept_at)
VALUES (:inbox, :place, :now)
ON CONFLICT (inbox) DO UPDATE SET place = excluded.place, kept_at = excluded.kept_at
"""
