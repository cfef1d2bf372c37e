"""What a merchant's order interface reads, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from milepost.errors import AlreadyExists, UnknownRecord
from milepost.orders.lifecycle import State
from milepost.orders.model import Order
from milepost.ports import OrderRef
from milepost.ports.merchants import OrderListing, WarehouseRecord
from milepost.store.listing import plan
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.records import changed_setup
from milepost.store.postgres.session import AlreadyThere, Session, store_errors
from milepost.store.postgres.snapshot import read_orders
from milepost.store.postgres.writing import written
from milepost.store.warehouse_rows import made_at, warehouse_of, warehouse_values


async def account_name(session: Session, account_id: str) -> str:
    rows = await session.rows("account_name", account_id=account_id)
    if not rows:
        raise UnknownRecord(account_id)
    return str(rows[0][0])


async def warehouses(session: Session, account_id: str) -> Sequence[WarehouseRecord]:
    return [warehouse_of(row) for row in await session.rows("warehouses", account_id=account_id)]


async def put_warehouse(session: Session, warehouse: WarehouseRecord) -> WarehouseRecord:
    """The account's lock makes the next free number nobody else's."""
    values = warehouse_values(warehouse)
    named = {"account_id": warehouse.account_id, "identifier": warehouse.identifier}
    try:
        with store_errors():
            async with changed_setup(session, warehouse.account_id):
                if not await session.write("update_warehouse", **values):
                    made = made_at(warehouse)
                    await session.write("insert_warehouse", **values, created_at=made)
                (row,) = await session.rows("warehouse", **named)
    except AlreadyThere:
        raise AlreadyExists(f"number {warehouse.number}") from None
    return warehouse_of(row)


async def listed_orders(
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
    values = dict(found.values)
    for name in ("order_keys", "order_numbers"):
        if name in values:
            values[name] = list(values[name])
    states = [state.value for state in found.states] or None
    if found.name is None:
        states = states or [state.value for state in State]
    async with session.one_state():
        rows = await session.rows(
            found.name or "listed_in_states",
            account_id=account_id,
            states=states,
            reach=values["skip"] + values["limit"],
            **values,
        )
        refs = [OrderRef(account_id, order_id=row[0]) for row in rows]
        orders = (await read_orders(session, refs)).orders if refs else ()
    return [order for order in orders if order is not None]


class MerchantsOnPostgres:
    """The part of the store that a merchant's order interface needs."""

    _main: Pool
    _readers: Pool

    async def account_name(self, account_id: str) -> str:
        async with self._readers.session() as session:
            return await account_name(session, account_id)

    async def warehouses(self, account_id: str) -> Sequence[WarehouseRecord]:
        async with self._readers.session() as session:
            return await warehouses(session, account_id)

    async def listed_orders(
        self,
        account_id: str,
        *,
        wanted: OrderListing,
        skip: int,
        limit: int,
        newest_first: bool,
    ) -> Sequence[Order]:
        async with self._readers.session() as session:
            return await listed_orders(
                session,
                account_id,
                wanted=wanted,
                skip=skip,
                limit=limit,
                newest_first=newest_first,
            )

    async def put_warehouse(self, warehouse: WarehouseRecord) -> WarehouseRecord:
        return await written(self._main, partial(put_warehouse, warehouse=warehouse))
