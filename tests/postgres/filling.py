"""A database with very many rows, in as little time as that can be had.

Of each table only the columns that matter to a plan are named here; whatever else must have a
value gets an empty one, so that a new column needs no word here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ACCOUNTS, ENDPOINTS = 3, 5
"""Accounts, and endpoints of each."""


class Filled(NamedTuple):
    """How a table is filled: its columns for every so manieth of $many orders, or for so few n."""

    columns: Mapping[str, str]
    rows: int | None = None
    every: int = 1


# Rows come in the order of their keys, which makes the indexes of a million of them in a second.
_ACCOUNT = f"'acc_' || (n - 1) * {ACCOUNTS} / $many + 1"
_ENDPOINT = f"'ep_' || (n - 1) * {ACCOUNTS * ENDPOINTS} / $many % {ENDPOINTS} + 1"
_ORDER = "'ord_' || lpad(n::text, 9, '0')"
_NAMES = {"account_id": _ACCOUNT, "order_id": _ORDER}
_FEW_ACCOUNT = {"account_id": "'acc_' || n"}
_LESS = 10
"""So many times fewer rows in tables that are only looked into by the keys of few orders."""

FILLED: Mapping[str, Filled] = {
    "accounts": Filled(_FEW_ACCOUNT, rows=ACCOUNTS),
    "setups": Filled({**_FEW_ACCOUNT, "version": "1"}, rows=ACCOUNTS),
    "endpoints": Filled(
        {
            "account_id": f"'acc_' || (n - 1) / {ENDPOINTS} + 1",
            "endpoint_id": f"'ep_' || n % {ENDPOINTS} + 1",
            "state": "'active'",
            "lane_policy": "'go_on'",
        },
        rows=ACCOUNTS * ENDPOINTS,
    ),
    "orders": Filled(
        {
            **_NAMES,
            "store": "'shop' || n % 4",
            "order_key": "'K' || lpad(n::text, 9, '0')",
            "order_number": "'N' || lpad(n::text, 9, '0')",
            "state": "(ARRAY['created', 'shipped', 'delivered'])[n % 3 + 1]",
            "sequence": "1",
            "created_at": "n",
            "updated_at": "n",
            "shipped_at": "CASE WHEN n % 3 > 0 THEN n END",
            "order_type": "CASE WHEN n % 10 = 7 THEN 'retail' END",
        }
    ),
    "lanes": Filled(
        {
            **_NAMES,
            "endpoint_id": _ENDPOINT,
            "sequence": "2",
            "last": "2",
            "due_at": "n",
            "lease_owner": "CASE WHEN n % 100 = 0 THEN 'me' END",
            "leased_until": "CASE WHEN n % 100 = 0 THEN n END",
            "status": "'created'",
            "previous": "1",
            "variant": "0",
            "created_at": "n",
        }
    ),
    "deliveries": Filled(
        {
            **_NAMES,
            "endpoint_id": _ENDPOINT,
            "sequence": "1",
            "state": "CASE n % 50 WHEN 0 THEN 'abandoned' WHEN 1 THEN 'pending'"
            " ELSE 'acknowledged' END",
            "created_at": "n",
            "attempts": "1",
            "tries": "1",
        }
    ),
    "quarantine": Filled(
        {
            "account_id": _ACCOUNT,
            "update_id": "'upd_' || lpad(n::text, 9, '0')",
            "verdict": "CASE WHEN n % 5 = 0 THEN 'orphan' ELSE 'stale' END",
            "store": "'shop'",
            "order_key": "'K' || lpad(n::text, 9, '0')",
            "received_at": "n",
        }
    ),
    "order_contents": Filled(_NAMES),
    "order_events": Filled({**_NAMES, "sequence": "1"}, every=_LESS),
    "parcels": Filled(
        {**_NAMES, "parcel": "'1'", "tracking_number": "'T' || lpad(n::text, 9, '0')"},
        every=_LESS,
    ),
    "bodies": Filled({**_NAMES, "sequence": "1"}, every=_LESS),
    "attempts": Filled({**_NAMES, "endpoint_id": _ENDPOINT, "sequence": "1"}, every=_LESS),
    "trackings": Filled({**_NAMES, "parcel": "'1'", "since_at": "n", "due_at": "n"}, every=_LESS),
    "receipts": Filled(
        {
            "account_id": _ACCOUNT,
            "receipt_id": "'rcp_' || lpad(n::text, 9, '0')",
            "source": "'s' || n % 4",
            "message_id": "'m' || n",
            "verdict": "CASE WHEN n % 100 = 0 THEN 'orphan' ELSE 'applied' END",
            "order_id": f"CASE WHEN n % 100 > 0 THEN {_ORDER} END",
            "tracking_number": "'T' || lpad(n::text, 9, '0')",
            "received_at": "n",
        },
        every=5 * _LESS,
    ),
    "silences": Filled(
        {
            **_NAMES,
            "number": "n",
            "since_at": "n",
            "state": "'shipped'",
            "ended_at": "CASE WHEN n % 1000 > 0 THEN n END",
            "ended_number": "CASE WHEN n % 1000 > 0 THEN n END",
        },
        every=5 * _LESS,
    ),
    "carrier_sources": Filled({**_FEW_ACCOUNT, "source": "'s'"}, rows=ACCOUNTS),
}

_EMPTY = {"text": "''", "bytea": "''", "boolean": "false"}

_COLUMNS = """
SELECT attname, format_type(atttypid, NULL)
FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
    AND attnotnull AND NOT atthasdef
"""
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), conname
FROM pg_index
LEFT JOIN pg_constraint ON conindid = indexrelid
WHERE indrelid = $1::text::regclass
"""


async def fill(connection: Any, *, many: int) -> None:
    """Fills every table that is named above."""
    for table, filled in FILLED.items():
        last = filled.rows or many
        needed = await connection.fetch(_COLUMNS, table)
        columns = {name: _EMPTY.get(kind, "0") for name, kind in needed}
        columns.update(filled.columns)
        values = ", ".join(columns.values()).replace("$many", str(last))
        await connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {values} FROM generate_series({filled.every}, {last}, {filled.every}) AS n"
        )


async def fill_fast(connection: Any, *, many: int) -> None:
    """The same for a great many rows, whose indexes are made at the end; and looks at them all."""
    await connection.execute("SET maintenance_work_mem = '256MB'")
    definitions: list[str] = []
    for table in FILLED:
        # No plan depends on whether rows are in the log, and writing that takes its time.
        await connection.execute(f"ALTER TABLE {table} SET UNLOGGED")
        for name, definition, constraint in await connection.fetch(_INDEXES, table):
            drop = f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"
            await connection.execute(drop if constraint else f"DROP INDEX {name}")
            definitions.append(definition)
    await fill(connection, many=many)
    for definition in definitions:
        await connection.execute(definition)
    await connection.execute("VACUUM ANALYZE")
