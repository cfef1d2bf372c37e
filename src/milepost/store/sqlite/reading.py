"""Everything that is read and not changed, each from one state of the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from milepost.delivery.model import Attempt, Delivery, DeliveryState, Endpoint, EndpointState
from milepost.errors import UnknownRecord
from milepost.orders.events import OrderEvent, Verdict
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
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.snapshot import read_orders, read_parcels


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


def accounts(session: Session) -> Sequence[Account]:
    return [account_of(row) for row in session.rows("accounts")]


def keys(session: Session, account_id: str) -> Sequence[ApiKey]:
    return [key_of(row) for row in session.rows("keys", account_id=account_id)]


def find_key(session: Session, account_id: str, *, digest: str) -> ApiKey | None:
    row = session.row("find_key", account_id=account_id, digest=digest)
    return None if row is None else key_of(row)


def stores(session: Session, account_id: str) -> Sequence[Store]:
    return [store_of(row) for row in session.rows("stores", account_id=account_id)]


def endpoint(session: Session, account_id: str, endpoint_id: str, *, vault: Vault) -> Endpoint:
    row = session.row("endpoint", account_id=account_id, endpoint_id=endpoint_id)
    if row is None:
        raise UnknownRecord(endpoint_id)
    return endpoint_of(row, vault=vault)


def endpoints(session: Session, account_id: str, *, vault: Vault) -> Sequence[Endpoint]:
    rows = session.rows("endpoints", account_id=account_id)
    return [endpoint_of(row, vault=vault) for row in rows]


def order(session: Session, ref: OrderRef) -> Order:
    (found,) = read_orders(session, [ref])
    if found is None:
        raise UnknownRecord(ref.order_id or f"{ref.store} {ref.order_key}")
    return found


def find_orders(session: Session, account_id: str, text: str) -> Sequence[Order]:
    rows = session.rows("find_order_ids", account_id=account_id, text=text)
    refs = [OrderRef(account_id, order_id=row[0]) for row in rows]
    found = [order for order in read_orders(session, refs) if order is not None]
    return sorted(found, key=attrgetter("order_id"), reverse=True)


def orders(
    session: Session, account_id: str, *, wanted: OrderFilter, page: Page
) -> tuple[Sequence[Order], str | None]:
    after = read_cursor(page.after, shape=_AfterOrder)
    rows = session.rows(
        "orders_page",
        account_id=account_id,
        state=wanted.state and wanted.state.value,
        store=wanted.store,
        **_by("state" if wanted.state else "store" if wanted.store else None),
        **({} if after is None else after._asdict()),
        limit=page.limit + 1,
    )
    shown = rows[: page.limit]
    parcels = read_parcels(session, [row[:2] for row in shown])
    found = [order_of(row, parcels=parcels.get((row[0], row[1]), ())) for row in shown]
    return found, _next(rows, page.limit, columns=(1,))


def history(
    session: Session, account_id: str, order_id: str, *, after: int, limit: int
) -> Sequence[OrderEvent]:
    rows = session.rows(
        "history", account_id=account_id, order_id=order_id, after=after, limit=limit
    )
    return [event_of(row) for row in rows]


def quarantine(
    session: Session, account_id: str, *, verdict: Verdict | None, page: Page
) -> tuple[Sequence[Quarantined], str | None]:
    after = read_cursor(page.after, shape=_AfterQuarantined)
    rows = session.rows(
        "quarantine_page",
        account_id=account_id,
        verdict=verdict and verdict.value,
        every_verdict=True if verdict is None else None,
        **({} if after is None else after._asdict()),
        limit=page.limit + 1,
    )
    found = [quarantined_of(row) for row in rows[: page.limit]]
    return found, _next(rows, page.limit, columns=(9, 1))


def deliveries(
    session: Session, account_id: str, *, wanted: DeliveryFilter, page: Page
) -> tuple[Sequence[Delivery], str | None]:
    after = read_cursor(page.after, shape=_AfterDelivery)
    state = wanted.state
    rows = session.rows(
        "deliveries_page",
        account_id=account_id,
        endpoint_id=wanted.endpoint_id,
        order_id=wanted.order_id,
        state=state and state.value,
        **_by(_index_of(wanted)),
        **({} if after is None else after._asdict()),
        limit=page.limit + 1,
    )
    found = [delivery_of(row) for row in rows[: page.limit]]
    return found, _next(rows, page.limit, columns=(7, 1, 3, 2))


def _index_of(wanted: DeliveryFilter) -> str:
    """Which index finds these deliveries; most are acknowledged, so no index has those alone."""
    if wanted.order_id is not None:
        return "order"
    if wanted.state is not None and wanted.state is not DeliveryState.ACKNOWLEDGED:
        return "state"
    return "time" if wanted.endpoint_id is None else "endpoint"


def _by(index: str | None) -> dict[str, bool]:
    return {} if index is None else {f"by_{index}": True}


def _next(rows: Sequence[Row], limit: int, *, columns: Sequence[int]) -> str | None:
    """The cursor after the last row of a page, whose sort key these columns are."""
    if len(rows) <= limit:
        return None
    return write_cursor(tuple(rows[limit - 1][column] for column in columns))


def delivery(
    session: Session, account_id: str, endpoint_id: str, order_id: str, sequence: int
) -> tuple[Delivery, bytes]:
    row = session.row(
        "delivery",
        account_id=account_id,
        endpoint_id=endpoint_id,
        order_id=order_id,
        sequence=sequence,
    )
    if row is None:
        raise UnknownRecord(f"{order_id}, sequence {sequence}")
    return delivery_of(row), plain(row[14] or b"")


def attempts(
    session: Session, account_id: str, endpoint_id: str, order_id: str, sequence: int
) -> Sequence[Attempt]:
    rows = session.rows(
        "attempts",
        account_id=account_id,
        endpoint_id=endpoint_id,
        order_id=order_id,
        sequence=sequence,
    )
    return [attempt_of(row) for row in rows]


def backlog(session: Session, *, now: datetime, most: int) -> Backlog:
    accounts = session.rows("backlog_of_accounts", most=most)
    endpoints = session.rows("backlog_of_endpoints", most=most, now=micros(now))
    active = [row for row in endpoints if row[0] == EndpointState.ACTIVE]
    parked = [row for row in endpoints if row[0] != EndpointState.ACTIVE]
    return Backlog(
        pending=min(most, sum(row[1] for row in accounts)),
        due=min(most, sum(row[2] for row in active)),
        parked=min(most, sum(row[2] for row in parked)),
        oldest_at=moment_or_none(_first(row[0] for row in accounts)),
        oldest_due_at=moment_or_none(_first(row[1] for row in active)),
    )


def _first(times: Iterable[int | None]) -> int | None:
    return min((at for at in times if at is not None), default=None)


def counts(session: Session, account_id: str | None) -> Counts:
    ((orders, events, quarantined, attempts),) = session.rows("count_rows", account_id=account_id)
    by_state = session.rows("count_deliveries", account_id=account_id)
    deliveries = dict.fromkeys(DeliveryState, 0)
    deliveries.update((DELIVERY_STATES[state], number) for state, number in by_state)
    return Counts(
        orders=orders,
        events=events,
        quarantined=quarantined,
        attempts=attempts,
        deliveries=deliveries,
    )
