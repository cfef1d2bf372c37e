"""Sending again on SQLite: a part of it is one short transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from milepost.delivery.model import Delivery
from milepost.errors import UnknownRecord
from milepost.ports import Page
from milepost.ports.resends import Advance, Considered, OrderChange, Place, Resend
from milepost.store.cursors import write_cursor
from milepost.store.resend_rows import (
    WITHOUT_ENDPOINT,
    AfterResend,
    advance_values,
    after_values,
    check_number,
    considered_of,
    named_alike,
    order_change_of,
    place_values,
    resend_of,
    resend_values,
    spans,
)
from milepost.store.rows import delivery_of, micros
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


def reopen(
    session: Session,
    account_id: str,
    endpoint_id: str,
    chosen: Sequence[tuple[str, int]],
    *,
    settled_by: int,
    newest: bool = False,
    now: datetime,
) -> int:
    """Puts those that are settled back into their lanes; how many that were.

    `settled_by` is in microseconds, like what is kept: what was settled later is left out.
    """
    at = micros(now)
    rows = session.batch(
        "reopen_deliveries",
        [
            (account_id, order_id, endpoint_id, sequence, settled_by, at, newest)
            for order_id, sequence in chosen
        ],
    )
    lanes = spans((row[0], row[1]) for row in rows)
    session.batch(
        "reopen_lanes",
        [(account_id, endpoint_id, order_id, first, at) for order_id, (first, _) in lanes.items()],
    )
    return len(rows)


def add_resend(session: Session, resend: Resend, *, most: int, registry: Registry) -> Resend:
    if registry.endpoint(session, resend.account_id, resend.endpoint_id) is None:
        raise UnknownRecord(resend.endpoint_id)
    alike = named_alike(resend)
    row = session.row("running_alike", **alike)
    if row is not None:
        return resend_of(row)
    ((running,),) = session.rows(
        "count_running", account_id=resend.account_id, endpoint_id=resend.endpoint_id
    )
    check_number(running, most=most)
    session.write("add_resend", **resend_values(resend))
    return resend


def find_resend(session: Session, account_id: str, resend_id: str) -> Resend:
    row = session.row("one_resend", account_id=account_id, resend_id=resend_id)
    if row is None:
        raise UnknownRecord(resend_id)
    return resend_of(row)


def advance_resend(
    session: Session, resend: Resend, *, advance: Advance, now: datetime, registry: Registry
) -> Resend:
    account_id, endpoint_id = resend.account_id, resend.endpoint_id
    if registry.endpoint(session, account_id, endpoint_id) is None:
        return stop_resend(session, account_id, resend.resend_id, why=WITHOUT_ENDPOINT, now=now)
    if session.write("advance_resend", **advance_values(resend, advance, now=now)):
        queued = reopen(
            session,
            account_id,
            endpoint_id,
            advance.chosen,
            settled_by=micros(resend.asked_at),
            newest=advance.newest,
            now=now,
        )
        session.write(
            "count_queued", account_id=account_id, resend_id=resend.resend_id, queued=queued
        )
    return find_resend(session, account_id, resend.resend_id)


def stop_resend(
    session: Session, account_id: str, resend_id: str, *, why: str, now: datetime
) -> Resend:
    named = {"account_id": account_id, "resend_id": resend_id}
    session.write("stop_resend", **named, why=why, now=micros(now))
    return find_resend(session, account_id, resend_id)


def resends(session: Session, account_id: str, *, page: Page) -> tuple[list[Resend], str | None]:
    rows = session.rows(
        "resends_page",
        account_id=account_id,
        **after_values(page.after, shape=AfterResend),
        limit=page.limit + 1,
    )
    shown = rows[: page.limit]
    following = write_cursor((shown[-1][1],)) if len(rows) > page.limit else None
    return [resend_of(row) for row in shown], following


def running_resends(session: Session, *, limit: int) -> list[Resend]:
    return [resend_of(row) for row in session.rows("running_resends", limit=limit)]


def failed(
    session: Session, account_id: str, endpoint_id: str, *, after: Place, limit: int
) -> list[Delivery]:
    rows = session.rows(
        "failed_page",
        account_id=account_id,
        endpoint_id=endpoint_id,
        **place_values(after),
        limit=limit,
    )
    return [delivery_of(row) for row in rows]


def changed_orders(
    session: Session, account_id: str, *, after: str, limit: int
) -> list[OrderChange]:
    rows = session.rows("changed_orders", account_id=account_id, after=after, limit=limit)
    return [order_change_of(row) for row in rows]


def failed_last(
    session: Session, account_id: str, endpoint_id: str, *, limit: int
) -> list[Considered]:
    rows = session.rows("failed_last", account_id=account_id, endpoint_id=endpoint_id, limit=limit)
    return [considered_of(row) for row in rows]


def queued_between(
    session: Session,
    account_id: str,
    endpoint_id: str,
    *,
    since: datetime,
    until: datetime,
    limit: int,
) -> list[Considered]:
    rows = session.rows(
        "queued_between",
        account_id=account_id,
        endpoint_id=endpoint_id,
        since=micros(since),
        until=micros(until),
        limit=limit,
    )
    return [considered_of(row) for row in rows]


def orders_changed_since(
    session: Session, account_id: str, *, since: datetime, limit: int
) -> list[OrderChange]:
    rows = session.rows(
        "orders_changed_since", account_id=account_id, since=micros(since), limit=limit
    )
    return [order_change_of(row) for row in rows]


def told_of(
    session: Session,
    account_id: str,
    endpoint_id: str,
    order_ids: Sequence[str],
    *,
    newest: bool,
) -> list[Delivery]:
    wanted = [(account_id, order_id, endpoint_id) for order_id in order_ids]
    rows = session.batch("newest_of" if newest else "told_of", wanted)
    return sorted(map(delivery_of, rows), key=lambda d: (d.order_id, d.sequence))


def due_lanes(
    session: Session, account_id: str, endpoint_id: str, *, now: datetime, most: int
) -> int:
    ((number,),) = session.rows(
        "due_lanes_number",
        account_id=account_id,
        endpoint_id=endpoint_id,
        now=micros(now),
        most=most,
    )
    return int(number)


class ResendsOnSqlite:
    """The part of the store that sends again."""

    _writer: Writer
    _readers: Readers
    _registry: Registry

    async def add_resend(self, resend: Resend, *, most: int) -> Resend:
        return await self._writer.run(
            partial(add_resend, resend=resend, most=most, registry=self._registry)
        )

    async def find_resend(self, account_id: str, resend_id: str) -> Resend:
        return await self._readers.run(
            partial(find_resend, account_id=account_id, resend_id=resend_id)
        )

    async def resends(self, account_id: str, *, page: Page) -> tuple[Sequence[Resend], str | None]:
        return await self._readers.run(partial(resends, account_id=account_id, page=page))

    async def running_resends(self, *, limit: int) -> Sequence[Resend]:
        return await self._readers.run(partial(running_resends, limit=limit))

    async def advance_resend(self, resend: Resend, advance: Advance, *, now: datetime) -> Resend:
        work = partial(
            advance_resend, resend=resend, advance=advance, now=now, registry=self._registry
        )
        return await self._writer.run(work, weight=len(advance.chosen) or 1)

    async def stop_resend(
        self, account_id: str, resend_id: str, *, why: str, now: datetime
    ) -> Resend:
        work = partial(stop_resend, account_id=account_id, resend_id=resend_id, why=why, now=now)
        return await self._writer.run(work)

    async def failed(
        self, account_id: str, endpoint_id: str, *, after: Place, limit: int
    ) -> Sequence[Delivery]:
        work = partial(
            failed, account_id=account_id, endpoint_id=endpoint_id, after=after, limit=limit
        )
        return await self._readers.run(work)

    async def changed_orders(
        self, account_id: str, *, after: str, limit: int
    ) -> Sequence[OrderChange]:
        work = partial(changed_orders, account_id=account_id, after=after, limit=limit)
        return await self._readers.run(work)

    async def failed_last(
        self, account_id: str, endpoint_id: str, *, limit: int
    ) -> Sequence[Considered]:
        work = partial(failed_last, account_id=account_id, endpoint_id=endpoint_id, limit=limit)
        return await self._readers.run(work)

    async def queued_between(
        self, account_id: str, endpoint_id: str, *, since: datetime, until: datetime, limit: int
    ) -> Sequence[Considered]:
        work = partial(
            queued_between,
            account_id=account_id,
            endpoint_id=endpoint_id,
            since=since,
            until=until,
            limit=limit,
        )
        return await self._readers.run(work)

    async def orders_changed_since(
        self, account_id: str, *, since: datetime, limit: int
    ) -> Sequence[OrderChange]:
        work = partial(orders_changed_since, account_id=account_id, since=since, limit=limit)
        return await self._readers.run(work)

    async def told_of(
        self, account_id: str, endpoint_id: str, order_ids: Sequence[str], *, newest: bool
    ) -> Sequence[Delivery]:
        work = partial(
            told_of,
            account_id=account_id,
            endpoint_id=endpoint_id,
            order_ids=order_ids,
            newest=newest,
        )
        return await self._readers.run(work)

    async def due_lanes(
        self, account_id: str, endpoint_id: str, *, now: datetime, most: int
    ) -> int:
        work = partial(
            due_lanes, account_id=account_id, endpoint_id=endpoint_id, now=now, most=most
        )
        return await self._readers.run(work)
