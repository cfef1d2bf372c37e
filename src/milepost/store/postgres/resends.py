"""Sending again on PostgreSQL: a part of it is one short transaction, whoever else works on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from milepost.delivery.model import Delivery
from milepost.errors import UnknownRecord
from milepost.ports import Page
from milepost.ports.resends import Advance, Considered, OrderChange, Place, Resend, ResendState
from milepost.store.cursors import write_cursor
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import AlreadyThere, Outdated, Session, store_errors
from milepost.store.postgres.wakes import Wakes
from milepost.store.postgres.writing import written
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


async def reopen(
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

    Within a transaction that keeps the endpoint. `settled_by` is in microseconds, like what is
    kept: what was settled later is left out.
    """
    if not chosen:
        return 0
    orders = sorted({order_id for order_id, _ in chosen})
    lanes = [(account_id, endpoint_id, order_id) for order_id in orders]
    await session.batch("stand_lanes", lanes)
    await session.batch("record_heads", lanes)
    rows = await session.batch(
        "reopen_deliveries",
        [(account_id, endpoint_id, *name) for name in sorted(chosen)],
        settled_by,
        newest,
        micros(now),
    )
    found = spans((row[0], row[1]) for row in rows)
    if found:
        told = [(account_id, endpoint_id, name, *found[name]) for name in sorted(found)]
        await session.batch("reopen_lanes", told)
    if len(found) < len(lanes):
        await session.batch("drop_empty_lanes", lanes)
    return len(rows)


async def share_endpoint(session: Session, account_id: str, endpoint_id: str) -> bool:
    """Whether the endpoint is there; keeps it from being deleted until the transaction ends."""
    await session.row("share_setup", account_id=account_id)
    named = {"account_id": account_id, "endpoint_id": endpoint_id}
    return await session.row("endpoint", **named) is not None


async def add_resend(session: Session, resend: Resend, *, most: int) -> Resend:
    try:
        with store_errors():
            async with session.transaction():
                account_id, endpoint_id = resend.account_id, resend.endpoint_id
                if not await share_endpoint(session, account_id, endpoint_id):
                    raise UnknownRecord(endpoint_id)
                row = await session.row("running_alike", **named_alike(resend))
                if row is not None:
                    return resend_of(row)
                ((running,),) = await session.rows(
                    "count_running", account_id=account_id, endpoint_id=endpoint_id
                )
                check_number(running, most=most)
                await session.write("add_resend", **resend_values(resend))
    except AlreadyThere:
        # Somebody asked the same just now; the next look finds it.
        raise Outdated(resend.resend_id) from None
    return resend


async def find_resend(session: Session, account_id: str, resend_id: str) -> Resend:
    row = await session.row("one_resend", account_id=account_id, resend_id=resend_id)
    if row is None:
        raise UnknownRecord(resend_id)
    return resend_of(row)


async def advance_resend(
    session: Session, resend: Resend, *, advance: Advance, now: datetime
) -> Resend:
    account_id, endpoint_id = resend.account_id, resend.endpoint_id
    async with session.transaction():
        if not await share_endpoint(session, account_id, endpoint_id):
            return await stop_resend(
                session, account_id, resend.resend_id, why=WITHOUT_ENDPOINT, now=now
            )
        if await session.write("advance_resend", **advance_values(resend, advance, now=now)):
            queued = await reopen(
                session,
                account_id,
                endpoint_id,
                advance.chosen,
                settled_by=micros(resend.asked_at),
                newest=advance.newest,
                now=now,
            )
            await session.write(
                "count_queued", account_id=account_id, resend_id=resend.resend_id, queued=queued
            )
        return await find_resend(session, account_id, resend.resend_id)


async def stop_resend(
    session: Session, account_id: str, resend_id: str, *, why: str, now: datetime
) -> Resend:
    named = {"account_id": account_id, "resend_id": resend_id}
    await session.write("stop_resend", **named, why=why, now=micros(now))
    return await find_resend(session, account_id, resend_id)


async def resends(
    session: Session, account_id: str, *, page: Page
) -> tuple[list[Resend], str | None]:
    rows = await session.rows(
        "resends_page",
        account_id=account_id,
        **after_values(page.after, shape=AfterResend),
        limit=page.limit + 1,
    )
    shown = rows[: page.limit]
    following = write_cursor((shown[-1][1],)) if len(rows) > page.limit else None
    return [resend_of(row) for row in shown], following


async def failed(
    session: Session, account_id: str, endpoint_id: str, *, after: Place, limit: int
) -> list[Delivery]:
    rows = await session.rows(
        "failed_page",
        account_id=account_id,
        endpoint_id=endpoint_id,
        **place_values(after),
        limit=limit,
    )
    return [delivery_of(row) for row in rows]


async def failed_last(
    session: Session, account_id: str, endpoint_id: str, *, limit: int
) -> list[Considered]:
    rows = await session.rows(
        "failed_last", account_id=account_id, endpoint_id=endpoint_id, limit=limit
    )
    return [considered_of(row) for row in rows]


async def queued_between(
    session: Session,
    account_id: str,
    endpoint_id: str,
    *,
    since: datetime,
    until: datetime,
    limit: int,
) -> list[Considered]:
    rows = await session.rows(
        "queued_between",
        account_id=account_id,
        endpoint_id=endpoint_id,
        since=micros(since),
        until=micros(until),
        limit=limit,
    )
    return [considered_of(row) for row in rows]


async def orders_changed_since(
    session: Session, account_id: str, *, since: datetime, limit: int
) -> list[OrderChange]:
    rows = await session.rows(
        "orders_changed_since", account_id=account_id, since=micros(since), limit=limit
    )
    return [order_change_of(row) for row in rows]


async def told_of(
    session: Session,
    account_id: str,
    endpoint_id: str,
    order_ids: Sequence[str],
    *,
    newest: bool,
) -> list[Delivery]:
    if not order_ids:
        return []
    wanted = [(account_id, order_id, endpoint_id) for order_id in order_ids]
    rows = await session.batch("newest_of" if newest else "told_of", wanted)
    return sorted(map(delivery_of, rows), key=lambda d: (d.order_id, d.sequence))


async def due_lanes(
    session: Session, account_id: str, endpoint_id: str, *, now: datetime, most: int
) -> int:
    ((number,),) = await session.rows(
        "due_lanes_number",
        account_id=account_id,
        endpoint_id=endpoint_id,
        now=micros(now),
        most=most,
    )
    return int(number)


class ResendsOnPostgres:
    """The part of the store that sends again."""

    _main: Pool
    _readers: Pool
    _wakes: Wakes

    async def add_resend(self, resend: Resend, *, most: int) -> Resend:
        return await written(self._main, partial(add_resend, resend=resend, most=most))

    async def find_resend(self, account_id: str, resend_id: str) -> Resend:
        async with self._readers.session() as session:
            return await find_resend(session, account_id, resend_id)

    async def resends(self, account_id: str, *, page: Page) -> tuple[Sequence[Resend], str | None]:
        async with self._readers.session() as session:
            return await resends(session, account_id, page=page)

    async def running_resends(self, *, limit: int) -> Sequence[Resend]:
        async with self._readers.session() as session:
            rows = await session.rows("running_resends", limit=limit)
        return [resend_of(row) for row in rows]

    async def advance_resend(self, resend: Resend, advance: Advance, *, now: datetime) -> Resend:
        work = partial(advance_resend, resend=resend, advance=advance, now=now)
        after = await written(self._main, work)
        if after.queued > resend.queued and after.state is not ResendState.STOPPED:
            self._wakes.tell()
        return after

    async def stop_resend(
        self, account_id: str, resend_id: str, *, why: str, now: datetime
    ) -> Resend:
        work = partial(stop_resend, account_id=account_id, resend_id=resend_id, why=why, now=now)
        return await written(self._main, work)

    async def failed(
        self, account_id: str, endpoint_id: str, *, after: Place, limit: int
    ) -> Sequence[Delivery]:
        async with self._readers.session() as session:
            return await failed(session, account_id, endpoint_id, after=after, limit=limit)

    async def changed_orders(
        self, account_id: str, *, after: str, limit: int
    ) -> Sequence[OrderChange]:
        async with self._readers.session() as session:
            rows = await session.rows(
                "changed_orders", account_id=account_id, after=after, limit=limit
            )
        return [order_change_of(row) for row in rows]

    async def failed_last(
        self, account_id: str, endpoint_id: str, *, limit: int
    ) -> Sequence[Considered]:
        async with self._readers.session() as session:
            return await failed_last(session, account_id, endpoint_id, limit=limit)

    async def queued_between(
        self, account_id: str, endpoint_id: str, *, since: datetime, until: datetime, limit: int
    ) -> Sequence[Considered]:
        names = (account_id, endpoint_id)
        async with self._readers.session() as session:
            return await queued_between(session, *names, since=since, until=until, limit=limit)

    async def orders_changed_since(
        self, account_id: str, *, since: datetime, limit: int
    ) -> Sequence[OrderChange]:
        async with self._readers.session() as session:
            return await orders_changed_since(session, account_id, since=since, limit=limit)

    async def told_of(
        self, account_id: str, endpoint_id: str, order_ids: Sequence[str], *, newest: bool
    ) -> Sequence[Delivery]:
        async with self._readers.session() as session:
            return await told_of(session, account_id, endpoint_id, order_ids, newest=newest)

    async def due_lanes(
        self, account_id: str, endpoint_id: str, *, now: datetime, most: int
    ) -> int:
        async with self._readers.session() as session:
            return await due_lanes(session, account_id, endpoint_id, now=now, most=most)
