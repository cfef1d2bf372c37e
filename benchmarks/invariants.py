"""What must hold of the tables of PostgreSQL after whatever has happened."""

from __future__ import annotations

from typing import Any

import asyncpg

_PENDING = """
    SELECT account_id, endpoint_id, order_id, sequence FROM deliveries WHERE state = 'pending'
    UNION ALL
    SELECT account_id, endpoint_id, order_id, sequence FROM lanes WHERE status IS NOT NULL
"""

BROKEN = {
    "a lane begins and ends with what is pending in it": f"""
        SELECT lanes.*, pending.*
        FROM lanes
        FULL JOIN (
            SELECT account_id, endpoint_id, order_id, min(sequence) AS head, max(sequence) AS tail
            FROM ({_PENDING}) AS each
            GROUP BY account_id, endpoint_id, order_id
        ) AS pending USING (account_id, endpoint_id, order_id)
        WHERE lanes.sequence IS DISTINCT FROM pending.head
            OR lanes.last IS DISTINCT FROM pending.tail
    """,
    "a lane has an owner exactly while it is leased": """
        SELECT * FROM lanes WHERE (lease_owner IS NULL) <> (leased_until IS NULL)
    """,
    "a head in its lane is whole, due since it was made, and nowhere else": """
        SELECT lanes.*
        FROM lanes
        LEFT JOIN deliveries USING (account_id, endpoint_id, order_id, sequence)
        WHERE num_nulls(lanes.status, lanes.previous, lanes.variant, lanes.created_at)
                <> CASE WHEN lanes.status IS NULL THEN 4 ELSE 0 END
            OR (lanes.status IS NOT NULL AND lanes.due_at IS DISTINCT FROM lanes.created_at)
            OR (lanes.status IS NULL) <> (deliveries.sequence IS NOT NULL)
    """,
    "each delivery names the one before it": """
        SELECT *
        FROM (
            SELECT *, coalesce(lag(sequence) OVER (
                PARTITION BY account_id, endpoint_id, order_id ORDER BY sequence
            ), 0) AS before
            FROM (
                SELECT account_id, endpoint_id, order_id, sequence, previous FROM deliveries
                UNION ALL
                SELECT account_id, endpoint_id, order_id, sequence, previous
                FROM lanes WHERE status IS NOT NULL
            ) AS every
        ) AS named
        WHERE previous <> before
    """,
    "every delivery has its body": f"""
        SELECT * FROM ({_PENDING}) AS each
        WHERE NOT EXISTS (
            SELECT FROM bodies
            WHERE bodies.account_id = each.account_id
                AND bodies.order_id = each.order_id
                AND bodies.sequence = each.sequence
        )
    """,
    "the events of an order are numbered without a gap": """
        SELECT orders.order_id, orders.sequence, count(*), max(order_events.sequence)
        FROM orders JOIN order_events USING (account_id, order_id)
        GROUP BY orders.account_id, orders.order_id, orders.sequence
        HAVING count(*) <> orders.sequence OR max(order_events.sequence) <> orders.sequence
    """,
    "no update waits for an order that is there": """
        SELECT quarantine.*
        FROM quarantine
        JOIN orders USING (account_id, store, order_key)
        WHERE quarantine.verdict = 'orphan' AND quarantine.released_at IS NULL
    """,
    "nothing is pending of an endpoint that is gone": f"""
        SELECT * FROM ({_PENDING}) AS each
        WHERE NOT EXISTS (
            SELECT FROM endpoints
            WHERE endpoints.account_id = each.account_id
                AND endpoints.endpoint_id = each.endpoint_id
        )
    """,
    "nobody was ended because he and another one waited for each other": """
        SELECT datname, deadlocks FROM pg_stat_database
        WHERE datname = current_database() AND deadlocks > 0
    """,
    "an order has one content": """
        SELECT order_id FROM orders FULL JOIN order_contents USING (account_id, order_id)
        WHERE orders.store IS NULL OR order_contents.content IS NULL
    """,
}


async def broken(url: str) -> dict[str, list[Any]]:
    """The rows that break a rule, by the rule."""
    connection = await asyncpg.connect(url)
    try:
        found = {rule: await connection.fetch(query) for rule, query in BROKEN.items()}
    finally:
        await connection.close()
    return {rule: [dict(row) for row in rows] for rule, rows in found.items() if rows}
