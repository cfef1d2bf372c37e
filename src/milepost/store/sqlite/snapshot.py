"""Reads orders with all that belongs to them, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from milepost.orders.model import Order, Parcel
from milepost.ports import Mentioned, OrderRef, Quarantined, Snapshot
from milepost.store.receiving_rows import spoken_of
from milepost.store.rows import Row, order_of, parcel_of, quarantined_of
from milepost.store.sqlite.receiving import read_messages, read_receipts
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session

Key = tuple[str, str, str]
"""A natural key: account, store, order_key."""


def read_snapshot(
    session: Session, refs: Sequence[OrderRef], *, mentioned: Mentioned, registry: Registry
) -> Snapshot:
    """What a decision on these orders sees."""
    orders = read_orders(session, refs)
    accounts = tuple({ref.account_id: None for ref in refs})
    waiting = _read_waiting(session, refs, orders=orders)
    return Snapshot(
        orders=orders,
        endpoints=registry.endpoints(session, accounts),
        ahead=registry.ahead(session),
        stores=registry.stores(session, accounts),
        waiting=waiting,
        messages=read_messages(session, mentioned),
        receipts=read_receipts(session, spoken_of(mentioned, waiting)),
    )


def read_orders(session: Session, refs: Sequence[OrderRef]) -> list[Order | None]:
    """The order of each ref, or None, in the order asked."""
    by_id: list[Row] = []
    by_key: list[Row] = []
    for position, ref in enumerate(refs):
        if ref.order_id is not None:
            by_id.append((position, ref.account_id, ref.order_id))
        elif ref.store is not None and ref.order_key is not None:
            by_key.append((position, ref.account_id, ref.store, ref.order_key))
    found = session.batch("orders_by_id", by_id) if by_id else []
    if by_key:
        found += session.batch("orders_by_key", by_key)
    orders: list[Order | None] = [None] * len(refs)
    if not found:
        return orders
    parcels = read_parcels(session, [row[1:3] for row in found])
    for position, *row in found:
        orders[position] = order_of(tuple(row), parcels=parcels.get((row[0], row[1]), ()))
    return orders


def read_parcels(
    session: Session, orders: Sequence[Row]
) -> Mapping[tuple[str, str], tuple[Parcel, ...]]:
    """The parcels of these orders, named by account and order id, each in their order."""
    wanted = list(dict.fromkeys(orders))
    found: dict[tuple[str, str], list[Parcel]] = {}
    for row in session.batch("parcels_of", wanted):
        found.setdefault((row[0], row[1]), []).append(parcel_of(row[2:]))
    return {names: tuple(parcels) for names, parcels in found.items()}


def _read_waiting(
    session: Session, refs: Sequence[OrderRef], *, orders: Sequence[Order | None]
) -> Mapping[Key, Sequence[Quarantined]]:
    waiting: dict[Key, list[Quarantined]] = {}
    for ref, order in zip(refs, orders, strict=True):
        if order is None and ref.order_id is None and ref.store and ref.order_key:
            waiting[ref.account_id, ref.store, ref.order_key] = []
    if waiting:
        for row in session.batch("waiting_for", list(waiting)):
            kept = quarantined_of(row)
            waiting[row[0], row[5], row[6]].append(kept)
    return waiting
