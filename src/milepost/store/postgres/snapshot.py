"""Reads orders with all that belongs to them, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from milepost.orders.model import Order, Parcel
from milepost.ports import Mentioned, OrderRef, Quarantined, Snapshot
from milepost.store.postgres.packing import plain
from milepost.store.postgres.receiving import read_messages, read_receipts
from milepost.store.postgres.registry import Registry
from milepost.store.postgres.session import Session
from milepost.store.receiving_rows import spoken_of
from milepost.store.rows import Row, order_of, parcel_of, quarantined_of

Key = tuple[str, str, str]
"""A natural key: account, store, order_key."""


class Found(NamedTuple):
    """The orders asked for, and how their accounts stood when they were read.

    `versions` are those of the accounts' setups; `waiting` are the accounts that have orphans.
    """

    orders: list[Order | None]
    versions: Mapping[str, int]
    waiting: frozenset[str]


class Read(NamedTuple):
    """A snapshot for a decision, and the versions of the setups that it shows."""

    snapshot: Snapshot
    versions: Mapping[str, int]


async def read_snapshot(
    session: Session, refs: Sequence[OrderRef], *, mentioned: Mentioned, registry: Registry
) -> Read:
    """What a decision on these orders sees."""
    found = await read_orders(session, refs)
    setups = [
        (account_id, await registry.setup(session, account_id, version))
        for account_id, version in found.versions.items()
    ]
    if len(setups) == 1:
        stores = setups[0][1].stores
    else:
        stores = {key: store for _, setup in setups for key, store in setup.stores.items()}
    waiting = await _read_waiting(session, refs, found=found)
    snapshot = Snapshot(
        orders=found.orders,
        endpoints={account_id: setup.endpoints for account_id, setup in setups},
        ahead={account_id: setup.ahead for account_id, setup in setups if setup.ahead},
        stores=stores,
        waiting=waiting,
        messages=await read_messages(session, mentioned),
        receipts=await read_receipts(session, spoken_of(mentioned, waiting)),
    )
    return Read(snapshot, {account_id: setup.version for account_id, setup in setups})


async def read_orders(session: Session, refs: Sequence[OrderRef]) -> Found:
    """The order of each ref, or None, in the order asked."""
    ids = [(i, ref) for i, ref in enumerate(refs) if ref.order_id is not None]
    keys = [
        (i, ref)
        for i, ref in enumerate(refs)
        if ref.order_id is None and ref.store is not None and ref.order_key is not None
    ]
    accounts = tuple({ref.account_id: None for ref in refs})
    rows: list[Row] = []
    places: list[int] = []
    before: Sequence[Row] = ()
    if ids:
        columns: list[Sequence[Any]] = [
            [ref.account_id for _, ref in ids],
            [ref.order_id for _, ref in ids],
        ]
        before = await _read_by("orders_by_id", session, [accounts, *columns], ids, rows, places)
    if keys or not ids:
        columns = [
            [ref.account_id for _, ref in keys],
            [ref.store for _, ref in keys],
            [ref.order_key for _, ref in keys],
        ]
        before = (
            await _read_by("orders_by_key", session, [accounts, *columns], keys, rows, places)
            or before
        )
    orders: list[Order | None] = [None] * len(refs)
    if rows:
        parcels = await read_parcels(session, [row[:2] for row in rows])
        for place, row in zip(places, rows, strict=True):
            orders[place] = order_of(row, parcels=parcels.get((row[0], row[1]), ()))
    return Found(
        orders,
        {row[1]: row[6] for row in before},
        frozenset(row[1] for row in before if row[7]),
    )


async def _read_by(
    name: str,
    session: Session,
    columns: Sequence[Sequence[Any]],
    wanted: Sequence[tuple[int, OrderRef]],
    rows: list[Row],
    places: list[int],
) -> list[Row]:
    """Adds the orders found and their places; returns the rows of the accounts."""
    before: list[Row] = []
    for row in await session.columns(name, columns):
        position = row[0]
        if position:
            rows.append(plain(row[1:]))
            places.append(wanted[position - 1][0])
        else:
            before.append(row)
    return before


async def read_parcels(
    session: Session, orders: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], tuple[Parcel, ...]]:
    """The parcels of these orders, named by account and order id, each in their order."""
    wanted = list(dict.fromkeys(orders))
    found: dict[tuple[str, str], list[Parcel]] = {}
    for row in await session.batch("parcels_of", wanted):
        found.setdefault(wanted[row[0] - 1], []).append(parcel_of(plain(row[1:])))
    return {names: tuple(parcels) for names, parcels in found.items()}


async def _read_waiting(
    session: Session, refs: Sequence[OrderRef], *, found: Found
) -> Mapping[Key, Sequence[Quarantined]]:
    waiting: dict[Key, list[Quarantined]] = {}
    for ref, order in zip(refs, found.orders, strict=True):
        if order is None and ref.order_id is None and ref.store and ref.order_key:
            waiting[ref.account_id, ref.store, ref.order_key] = []
    asked = [key for key in waiting if key[0] in found.waiting]
    if asked:
        for row in await session.batch("waiting_for", asked):
            kept = quarantined_of(plain(row))
            waiting[kept.account_id, str(kept.store), str(kept.order_key)].append(kept)
    return waiting
