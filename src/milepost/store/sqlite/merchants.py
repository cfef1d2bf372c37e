"""What a merchant's order interface reads, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.ports.merchants import WarehouseRecord
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer
from milepost.store.warehouse_rows import made_at, warehouse_of, warehouse_values


def account_name(session: Session, account_id: str) -> str:
    row = session.row("account_name", account_id=account_id)
    if row is None:
        raise UnknownRecord(account_id)
    return str(row[0])


def warehouses(session: Session, account_id: str) -> Sequence[WarehouseRecord]:
    return [warehouse_of(row) for row in session.rows("warehouses", account_id=account_id)]


def put_warehouse(session: Session, warehouse: WarehouseRecord) -> WarehouseRecord:
    values = warehouse_values(warehouse)
    try:
        if not session.write("update_warehouse", **values):
            session.write("insert_warehouse", **values, created_at=made_at(warehouse))
    except sqlite3.IntegrityError:
        raise AlreadyExists(f"number {warehouse.number}") from None
    (row,) = session.rows(
        "warehouse", account_id=warehouse.account_id, identifier=warehouse.identifier
    )
    return warehouse_of(row)


class MerchantsOnSqlite:
    """The part of the store that a merchant's order interface needs."""

    _writer: Writer
    _readers: Readers

    async def account_name(self, account_id: str) -> str:
        return await self._readers.run(partial(account_name, account_id=account_id))

    async def warehouses(self, account_id: str) -> Sequence[WarehouseRecord]:
        return await self._readers.run(partial(warehouses, account_id=account_id))

    async def put_warehouse(self, warehouse: WarehouseRecord) -> WarehouseRecord:
        return await self._writer.run(partial(put_warehouse, warehouse=warehouse))
