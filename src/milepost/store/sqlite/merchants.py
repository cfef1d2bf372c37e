"""What a merchant's order interface reads, on SQLite."""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from itertools import islice

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.model import Order
from milepost.ports import OrderRef
from milepost.ports.merchants import OrderListing, WarehouseRecord
from milepost.store.listing import Plan, plan
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.snapshot import read_orders
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


def listed_orders(
    session: Session,
    account_id: str,
    *,
    wanted: OrderListing,
    skip: int,
    limit: int,
    newest_first: bool,
) -> Sequence[Order]:
    found = plan(wanted, skip=skip, limit=limit, newest_first=newest_first)
    if found is None:
        return ()
    if found.name is None:
        ids = _in_states(session, account_id, found, newest_first=newest_first)
    else:
        lists = ("order_keys", "order_numbers")
        values = {
            name: json.dumps(value) if name in lists else value
            for name, value in found.values.items()
        }
        states = json.dumps([state.value for state in found.states]) if found.states else None
        rows = session.rows(found.name, account_id=account_id, states=states, **values)
        ids = [row[0] for row in rows]
    orders = read_orders(session, [OrderRef(account_id, order_id=one) for one in ids])
    return [order for order in orders if order is not None]


def _in_states(
    session: Session, account_id: str, found: Plan, *, newest_first: bool
) -> Sequence[str]:
    """Each state's orders are in order in its index; the first of all are the first of each."""
    if not found.states:
        rows = session.rows("listed_by_store", account_id=account_id, **found.values)
        return [row[0] for row in rows]
    skip, limit = found.values["skip"], found.values["limit"]
    values = {**found.values, "skip": 0, "limit": skip + limit}
    each = [
        [row[0] for row in session.rows("listed_in_state", account_id=account_id, **named)]
        for named in ({**values, "state": state.value} for state in found.states)
    ]
    merged = heapq.merge(*each, reverse=newest_first)
    return list(islice(merged, skip, skip + limit))


class MerchantsOnSqlite:
    """The part of the store that a merchant's order interface needs."""

    _writer: Writer
    _readers: Readers

    async def account_name(self, account_id: str) -> str:
        return await self._readers.run(partial(account_name, account_id=account_id))

    async def warehouses(self, account_id: str) -> Sequence[WarehouseRecord]:
        return await self._readers.run(partial(warehouses, account_id=account_id))

    async def listed_orders(
        self,
        account_id: str,
        *,
        wanted: OrderListing,
        skip: int,
        limit: int,
        newest_first: bool,
    ) -> Sequence[Order]:
        work = partial(
            listed_orders,
            account_id=account_id,
            wanted=wanted,
            skip=skip,
            limit=limit,
            newest_first=newest_first,
        )
        return await self._readers.run(work)

    async def put_warehouse(self, warehouse: WarehouseRecord) -> WarehouseRecord:
        return await self._writer.run(partial(put_warehouse, warehouse=warehouse))
