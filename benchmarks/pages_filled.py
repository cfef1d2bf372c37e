"""A PostgreSQL with very many orders of one account, in as little time as that can be had.

Indexes are made when everything is there. The rows are those of orders that went on for two months:
most have arrived, the last ones are on their way, and something went wrong now and then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from milepost.orders.model import Address, Line, OrderContent
from milepost.store.rows import content_bytes


class Rows(NamedTuple):
    """How a table is filled: its columns over `n`, how many rows, counted from 1.

    `rows` is a share of the orders, or a number of rows beside them.
    """

    columns: Mapping[str, str]
    rows: str = "$many"


_ORDER = "'ord_' || lpad(n::text, 26, '0')"
_OF = "((n - 1) / $fan + 1)"
_ORDER_OF = f"'ord_' || lpad({_OF}::text, 26, '0')"
_ENDPOINT = "($endpoints)[(n - 1) % $fan + 1]"
_TIME = "($first + n * $step)"
_TIME_OF = f"($first + {_OF} * $step)"
_STATE = """CASE WHEN n > $many * 0.98 THEN
    (ARRAY['created', 'picking', 'shipped', 'in_transit', 'on_hold'])[n % 5 + 1]
    ELSE (ARRAY['delivered', 'delivered', 'delivered', 'cancelled', 'returned'])[n % 5 + 1] END"""
_FATE = "CASE WHEN n % 1000 = 0 THEN 'abandoned' WHEN n % 1000 = 1 THEN 'pending'"
_PENDING = "((n - 1) * 1000 + 1)"
_RUNS = 60
_RUN = "'rec_' || lpad(n::text, 26, '0')"
_RUN_AT = f"($first + ($last - $first) / {_RUNS} * n)"
_ME = {"account_id": "$account"}

FILLED: Mapping[str, Rows] = {
    "orders": Rows(
        {
            **_ME,
            "order_id": _ORDER,
            "store": "'main'",
            "order_key": "'K' || lpad(n::text, 9, '0')",
            "order_number": "'#' || n",
            "state": _STATE,
            "state_at": _TIME,
            "sequence": "2",
            "created_at": f"{_TIME} - 60000000",
            "updated_at": _TIME,
            "updating": "0",
            "shipped_at": f"CASE WHEN n % 5 = 2 THEN {_TIME} END",
            "heard_at": _TIME,
        }
    ),
    "order_contents": Rows({**_ME, "order_id": _ORDER, "content": "$content"}),
    "order_events": Rows(
        {
            **_ME,
            "order_id": "'ord_' || lpad(((n - 1) / 2 + 1)::text, 26, '0')",
            "sequence": "(n - 1) % 2 + 1",
            "type": "CASE WHEN n % 2 = 1 THEN 'order.created' ELSE 'order.state_changed' END",
            "state": "CASE WHEN n % 2 = 1 THEN 'created' ELSE 'delivered' END",
            "source": "'warehouse'",
            "occurred_at": "$first + n / 2 * $step",
            "received_at": "$first + n / 2 * $step",
            "correction": "0",
        },
        "$many * 2",
    ),
    "deliveries": Rows(
        {
            **_ME,
            "order_id": _ORDER_OF,
            "endpoint_id": _ENDPOINT,
            "sequence": "2",
            "previous": "0",
            "status": "'delivered'",
            "state": f"{_FATE} ELSE 'acknowledged' END",
            "created_at": _TIME_OF,
            "attempts": "1",
            "tries": "1",
            "replay": "0",
            "due_at": f"CASE WHEN n % 1000 = 1 THEN $later + {_TIME_OF} END",
            "settled_at": f"CASE WHEN n % 1000 <> 1 THEN {_TIME_OF} + 120000 END",
            "outcome": "CASE WHEN n % 1000 > 1 THEN 'acknowledged' ELSE 'server_error' END",
            "variant": "0",
        },
        "$many * $fan",
    ),
    "attempts": Rows(
        {
            **_ME,
            "order_id": _ORDER_OF,
            "endpoint_id": _ENDPOINT,
            "sequence": "2",
            "attempt": "1",
            "replay": "0",
            "started_at": _TIME_OF,
            "duration_ms": "12.5 + n % 90",
            "outcome": "CASE WHEN n % 1000 > 1 THEN 'acknowledged' ELSE 'server_error' END",
            "status": "CASE WHEN n % 1000 > 1 THEN 204 ELSE 500 END",
            "detail": "''",
            "response": "''::bytea",
        },
        "$many * $fan",
    ),
    "lanes": Rows(
        {
            **_ME,
            "order_id": f"'ord_' || lpad((({_PENDING} - 1) / $fan + 1)::text, 26, '0')",
            "endpoint_id": f"($endpoints)[({_PENDING} - 1) % $fan + 1]",
            "sequence": "2",
            "last": "2",
            "due_at": f"$later + $first + (({_PENDING} - 1) / $fan + 1) * $step",
            "status": "'delivered'",
            "previous": "0",
            "variant": "0",
            "created_at": f"$first + (({_PENDING} - 1) / $fan + 1) * $step",
        },
        "$many * $fan / 1000",
    ),
    "bodies": Rows(
        {
            **_ME,
            "order_id": _ORDER,
            "sequence": "2",
            "variant": "0",
            "content_type": "'application/json'",
            "content": "$body",
        }
    ),
    "parcels": Rows(
        {
            **_ME,
            "order_id": _ORDER,
            "parcel": "'1'",
            "position": "1",
            "state": "'delivered'",
            "state_at": _TIME,
            "carrier": "'UPS'",
            "tracking_number": "'1Z' || lpad(n::text, 16, '0')",
            "created_at": _TIME,
        }
    ),
    "quarantine": Rows(
        {
            **_ME,
            "update_id": "'upd_' || lpad(n::text, 26, '0')",
            "verdict": "(ARRAY['stale', 'orphan', 'illegal', 'duplicate'])[n % 4 + 1]",
            "why": "'is older than what is known'",
            "source": "'warehouse'",
            "store": "'main'",
            "order_key": "'X' || n",
            "received_at": "$first + n * $step * 50",
            "content": "$update",
        },
        "$many / 50",
    ),
    "receipts": Rows(
        {
            **_ME,
            "receipt_id": "'rcp_' || lpad(n::text, 26, '0')",
            "source": "'warehouse'",
            "kind": "'order'",
            "message_id": "'m' || n",
            "verdict": "CASE WHEN n % 500 = 0 THEN 'unmapped' ELSE 'applied' END",
            "why": "''",
            "word": "'delivered'",
            "store": "'main'",
            "order_key": "'K' || lpad((n * 10)::text, 9, '0')",
            "order_id": "'ord_' || lpad((n * 10)::text, 26, '0')",
            "received_at": "$first + n * $step * 10",
            "words": "'[]'",
            "content_type": "'application/json'",
            "size": "300",
            "body": "$body",
        },
        "$many / 10",
    ),
    "reconciliations": Rows(
        {
            **_ME,
            "run_id": _RUN,
            "source": "'warehouse'",
            "choice": """'{"what":"all"}'""",
            "dry_run": "1",
            "asked_at": _RUN_AT,
            "due_at": _RUN_AT,
            "total": "$many",
            "state": "'done'",
            "place": """'["",0]'""",
            "examined": "$many",
            "asked": "$many",
            "differences": "$many / 100",
            "applied": "0",
            "failures": "0",
            "finished_at": _RUN_AT,
            "why": "''",
        },
        f"{_RUNS}",
    ),
    "reconciliation_differences": Rows(
        {
            **_ME,
            "run_id": _RUN.replace("n::", f"{_RUNS}::"),
            "subject": "'ord_' || lpad((n * 100)::text, 26, '0')",
            "item": "'state'",
            "order_id": "'ord_' || lpad((n * 100)::text, 26, '0')",
            "store": "'main'",
            "order_key": "'K' || lpad((n * 100)::text, 9, '0')",
            "kind": "'state'",
            "parcel": "''",
            "ours": "'shipped'",
            "theirs": "'delivered'",
            "why": "''",
            "pending": "0",
        },
        "$many / 100",
    ),
    "trends": Rows(
        {
            **_ME,
            "began_at": "($last / 300000000 - (n - 1) / $fan) * 300000000",
            "endpoint_id": _ENDPOINT,
            **dict.fromkeys(("accepted", "attempts", "acknowledged", "within_tenth"), "10 + n % 7"),
            **dict.fromkeys(("failed", "within_second"), "n % 3"),
            **dict.fromkeys(
                (
                    "abandoned",
                    "within_ten_seconds",
                    "within_minute",
                    "within_ten_minutes",
                    "within_hour",
                    "later",
                ),
                "0",
            ),
        },
        "60 * 288 * $fan",
    ),
}
_LATER_US = 365 * 86_400 * 1_000_000
"""So far in the future the pending ones are due, so that nothing is sent while pages are read."""

_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), conname
FROM pg_index
LEFT JOIN pg_constraint ON conindid = indexrelid
WHERE indrelid = $1::text::regclass
"""


async def fill(
    url: str,
    *,
    account_id: str,
    endpoints: Sequence[str],
    many: int,
    deliveries: int,
    first: datetime,
    last: datetime,
) -> None:
    """So many orders, each with so many deliveries, from the first time to the last."""
    began, over = (int(at.timestamp() * 1_000_000) for at in (first, last))
    names = ", ".join(f"'{name}'" for name in endpoints[:deliveries])
    put_in = {
        "$account": f"'{account_id}'",
        "$endpoints": f"ARRAY[{names}]",
        "$fan": str(deliveries),
        "$many": str(many),
        "$first": f"{began}::bigint",
        "$later": f"{_LATER_US}::bigint",
        "$last": f"{over}::bigint",
        "$step": f"{(over - began) // many}::bigint",
        "$content": _bytes(_content()),
        "$body": _bytes(b'{"status":"SHIPPED","tracking_number":"1Z999AA10123456784"}' * 4),
        "$update": _bytes(b'{"source":"warehouse","state":"shipped"}'),
    }
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET maintenance_work_mem = '512MB'")
        await connection.execute("SET synchronous_commit = off")
        definitions: list[str] = []
        for table in FILLED:
            for name, definition, constraint in await connection.fetch(_INDEXES, table):
                drop = f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"
                await connection.execute(drop if constraint else f"DROP INDEX {name}")
                definitions.append(
                    f"ALTER TABLE {table} ADD {_key(definition, name=constraint)}"
                    if constraint
                    else definition
                )
        for table, rows in FILLED.items():
            values = ", ".join(rows.columns.values())
            command = (
                f"INSERT INTO {table} ({', '.join(rows.columns)})"
                f" SELECT {values} FROM generate_series(1, {rows.rows}) AS n"
            )
            for name, value in put_in.items():
                command = command.replace(name, value)
            await connection.execute(command)
        for definition in definitions:
            await connection.execute(definition)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _key(definition: str, *, name: str) -> str:
    """The constraint again of which this was the index."""
    columns = definition[definition.index("(") :]
    kind = "PRIMARY KEY" if name.endswith("_pkey") else "UNIQUE"
    return f"CONSTRAINT {name} {kind} {columns}"


def _content() -> bytes:
    """An order's content as the store keeps it."""
    return content_bytes(
        OrderContent(
            order_number="1",
            customer_email="ada@example.com",
            ship_to=Address(name="Ada Example", city="Turin", country_code="IT"),
            lines=(Line("SCALE-1", 1), Line("BAND-2", 2)),
        )
    )


def _bytes(content: bytes) -> str:
    return f"'\\x{content.hex()}'::bytea"
