"""Everything that is read and not changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from milepost.delivery.model import Attempt, Delivery, DeliveryState, Endpoint, EndpointState
from milepost.errors import UnknownRecord
from milepost.orders.events import OrderEvent, Verdict
from milepost.orders.lifecycle import State
from milepost.orders.model import Order, Store
from milepost.ports import (
    Account,
    ApiKey,
    Backlog,
    Counts,
    DeliveryFilter,
    OrderFilter,
    OrderRef,
    Page,
    Quarantined,
)
from milepost.sealing import Vault
from milepost.store.compression import plain
from milepost.store.cursors import Number, read_cursor, write_cursor
from milepost.store.postgres.session import Session
from milepost.store.postgres.snapshot import read_orders, read_parcels
from milepost.store.rows import (
    DELIVERY_STATES,
    Row,
    account_of,
    attempt_of,
    delivery_of,
    endpoint_of,
    event_of,
    key_of,
    micros,
    moment_or_none,
    order_of,
    quarantined_of,
    store_of,
)

LAST_SEQUENCE = 2**31 - 1


class _AfterOrder(NamedTuple):
    after_order: str


class _AfterQuarantined(NamedTuple):
    after_received: Number
    after_update: str


class _AfterDelivery(NamedTuple):
    after_created: Number
    after_order: str
    after_sequence: Number
    after_endpoint: str


async def accounts(session: Session) -> Sequence[Account]:
    return [account_of(row) for row in await session.rows("accounts")]


async def keys(session: Session, account_id: str) -> Sequence[ApiKey]:
    return [key_of(row) for row in await session.rows("keys", account_id=account_id)]


async def find_key(session: Session, account_id: str, *, digest: str) -> ApiKey | None:
    row = await session.row("find_key", account_id=account_id, digest=digest)
    return None if row is None else key_of(row)


async def stores(session: Session, account_id: str) -> Sequence[Store]:
    return [store_of(row) for row in await session.rows("stores", account_id=account_id)]


async def endpoint(
    session: Session, account_id: str, endpoint_id: str, *, vault: Vault
) -> Endpoint:
    row = await session.row("endpoint", account_id=account_id, endpoint_id=endpoint_id)
    if row is None:
        raise UnknownRecord(endpoint_id)
    return endpoint_of(row, vault=vault)


async def endpoints(session: Session, account_id: str, *, vault: Vault) -> Sequence[Endpoint]:
    rows = await session.rows("endpoints", account_id=account_id)
    return [endpoint_of(row, vault=vault) for row in rows]


async def order(session: Session, ref: OrderRef) -> Order:
    async with session.one_state():
        (found,) = (await read_orders(session, [ref])).orders
    if found is None:
        raise UnknownRecord(ref.order_id or f"{ref.store} {ref.order_key}")
    return found


async def find_orders(session: Session, account_id: str, text: str) -> Sequence[Order]:
    async with session.one_state():
        rows = await session.rows("find_order_ids", account_id=account_id, text=text)
        refs = [OrderRef(account_id, order_id=row[0]) for row in rows]
        orders = (await read_orders(session, refs)).orders if refs else []
    found = [order for order in orders if order is not None]
    return sorted(found, key=attrgetter("order_id"), reverse=True)


async def orders(
    session: Session, account_id: str, *, wanted: OrderFilter, page: Page
) -> tuple[Sequence[Order], str | None]:
    after = read_cursor(page.after, shape=_AfterOrder)
    in_parts = wanted.state is not None or wanted.store is not None
    states = State if wanted.state is None else [wanted.state]
    async with session.one_state():
        rows = await session.rows(
            "orders_page_in_parts" if in_parts else "orders_page",
            account_id=account_id,
            states=[state.value for state in states],
            store=wanted.store,
            **({} if after is None else after._asdict()),
            limit=page.limit + 1,
        )
        shown = rows[: page.limit]
        parcels = await read_parcels(session, [row[:2] for row in shown]) if shown else {}
    found = [order_of(row, parcels=parcels.get((row[0], row[1]), ())) for row in shown]
    return found, _next(rows, page.limit, columns=(1,))


async def history(
    session: Session, account_id: str, order_id: str, *, after: int, limit: int
) -> Sequence[OrderEvent]:
    rows = await session.rows(
        "history",
        account_id=account_id,
        order_id=order_id,
        after=min(after, LAST_SEQUENCE),
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def quarantine(
    session: Session, account_id: str, *, verdict: Verdict | None, page: Page
) -> tuple[Sequence[Quarantined], str | None]:
    after = read_cursor(page.after, shape=_AfterQuarantined)
    rows = await session.rows(
        "quarantine_page",
        account_id=account_id,
        verdict=verdict and verdict.value,
        every_verdict=True if verdict is None else None,
        **({} if after is None else after._asdict()),
        limit=page.limit + 1,
    )
    found = [quarantined_of(row) for row in rows[: page.limit]]
    return found, _next(rows, page.limit, columns=(9, 1))


async def deliveries(
    session: Session, account_id: str, *, wanted: DeliveryFilter, page: Page
) -> tuple[Sequence[Delivery], str | None]:
    after = read_cursor(page.after, shape=_AfterDelivery)
    states = DeliveryState if wanted.state is None else [wanted.state]
    of_order = wanted.order_id is not None
    rows = await session.rows(
        "deliveries_page_of_order" if of_order else "deliveries_page_in_parts",
        account_id=account_id,
        endpoint_id=wanted.endpoint_id,
        order_id=wanted.order_id,
        states=[state.value for state in states],
        **({} if after is None else after._asdict()),
        limit=page.limit + 1,
    )
    found = [delivery_of(row) for row in rows[: page.limit]]
    return found, _next(rows, page.limit, columns=(7, 1, 3, 2))


def _next(rows: Sequence[Row], limit: int, *, columns: Sequence[int]) -> str | None:
    """The cursor after the last row of a page, whose sort key these columns are."""
    if len(rows) <= limit:
        return None
    return write_cursor(tuple(rows[limit - 1][column] for column in columns))


async def delivery(
    session: Session, account_id: str, endpoint_id: str, order_id: str, sequence: int
) -> tuple[Delivery, bytes]:
    row = await session.row(
        "one_delivery",
        account_id=account_id,
        endpoint_id=endpoint_id,
        order_id=order_id,
        sequence=min(sequence, LAST_SEQUENCE),
    )
    if row is None:
        raise UnknownRecord(f"{order_id}, sequence {sequence}")
    return delivery_of(row), plain(row[15] or b"")


async def attempts(
    session: Session, account_id: str, endpoint_id: str, order_id: str, sequence: int
) -> Sequence[Attempt]:
    rows = await session.rows(
        "attempts",
        account_id=account_id,
        endpoint_id=endpoint_id,
        order_id=order_id,
        sequence=min(sequence, LAST_SEQUENCE),
    )
    return [attempt_of(row) for row in rows]


async def backlog(session: Session, *, now: datetime, most: int) -> Backlog:
    async with session.one_state():
        await session.row("read_whole_tables")
        rows = await session.rows("backlog", now=micros(now), most=most)
    active = [row for row in rows if row[0] == EndpointState.ACTIVE]
    parked = [row for row in rows if row[0] != EndpointState.ACTIVE]
    return Backlog(
        pending=min(most, sum(row[2] for row in rows)),
        due=min(most, sum(row[4] for row in active)),
        parked=min(most, sum(row[4] for row in parked)),
        oldest_at=moment_or_none(_first(row[1] for row in rows)),
        oldest_due_at=moment_or_none(_first(row[3] for row in active)),
    )


def _first(times: Iterable[int | None]) -> int | None:
    return min((at for at in times if at is not None), default=None)


async def counts(session: Session, account_id: str | None) -> Counts:
    """One state of the database, and whole tables: the planner may read them from end to end."""
    async with session.one_state():
        await session.row("read_whole_tables")
        rows = await session.rows("count_rows", account_id=account_id)
        by_state = await session.rows("count_by_state", account_id=account_id)
    ((orders, events, quarantined, attempts),) = rows
    deliveries = dict.fromkeys(DeliveryState, 0)
    deliveries.update((DELIVERY_STATES[state], number) for state, number in by_state)
    return Counts(
        orders=orders,
        events=events,
        quarantined=quarantined,
        attempts=attempts,
        deliveries=deliveries,
    )
