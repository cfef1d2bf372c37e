"""Upkeep on SQLite: orders are taken off and erased, and their rows swept, a little at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import msgspec

from milepost.ports import Lease
from milepost.ports.upkeep import (
    Aged,
    IsDue,
    Notice,
    OrderName,
    Standing,
    Swept,
    UpkeepRecord,
)
from milepost.store.rows import (
    micros,
)
from milepost.store.sqlite.erasing import ErasingOnSqlite, clear_person, overwriting
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer
from milepost.store.upkeep_rows import (
    CLEARED_ORDER,
    ORDER_SCOPE,
    ORDERS_AT_ONCE,
    aged_of,
    is_old_notice,
    notice_of,
    notice_range,
    standing_of,
    upkeep_of,
)

# whose it is


def take_upkeep(
    session: Session, *, lease: Lease, now: datetime, not_since: datetime | None
) -> bool:
    session.write("begin_upkeep_record")
    limit = {} if not_since is None else {"not_since": micros(not_since)}
    until = micros(lease.until)
    rows = session.rows("take_upkeep", owner=lease.owner, until=until, now=micros(now), **limit)
    return bool(rows)


def renew_upkeep(session: Session, *, lease: Lease) -> bool:
    return bool(session.write("renew_upkeep", owner=lease.owner, until=micros(lease.until)))


def end_upkeep(session: Session, *, owner: str, report: str, now: datetime) -> None:
    session.write("end_upkeep", owner=owner, report=report, now=micros(now))


def upkeep(session: Session) -> UpkeepRecord:
    return upkeep_of(session.row("upkeep"))


# orders


def aged_orders(
    session: Session, account_id: str, *, after: str, before: str, limit: int
) -> list[Aged]:
    rows = session.rows(
        "aged_orders", account_id=account_id, after=after, before=before, limit=limit
    )
    return [aged_of(row) for row in rows]


def standings(session: Session, account_id: str, order_ids: Sequence[str]) -> list[Standing]:
    rows = (session.row("standing", account_id=account_id, order_id=name) for name in order_ids)
    return [standing_of(row) for row in rows if row is not None]


def drop_orders(
    session: Session, account_id: str, order_ids: Sequence[str], *, is_due: IsDue, now: datetime
) -> list[str]:
    dropped: list[str] = []
    for standing in standings(session, account_id, order_ids):
        if standing.is_pending or not is_due(standing):
            continue
        named = {"account_id": account_id, "order_id": standing.order_id}
        session.write("drop_order", **named)
        session.write("add_removal", **named, scope=ORDER_SCOPE, now=micros(now))
        dropped.append(standing.order_id)
    return dropped


def sweep(session: Session, *, name: OrderName | None, limit: int) -> Swept:
    if name is None:
        found = session.rows("removals", limit=ORDERS_AT_ONCE + 1)
    else:
        found = session.rows("removal_of_order", account_id=name[0], order_id=name[1])
    rows = ended = 0
    with overwriting(session):
        for account_id, order_id, scope in found[:ORDERS_AT_ONCE]:
            clear = _clear_order if scope == ORDER_SCOPE else clear_person
            order = {"account_id": account_id, "order_id": order_id}
            rows += clear(session, order, limit=limit - rows)
            if rows >= limit:
                break
            session.write("end_removal", **order)
            ended += 1
    return Swept(rows=rows, orders=ended, more=ended < len(found))


def _clear_order(session: Session, order: dict[str, str], *, limit: int) -> int:
    """How many rows it has cleared away; the limit when there may be more."""
    cleared = 0
    for statement in CLEARED_ORDER:
        cleared += session.write(statement, **order, limit=limit - cleared)
        if cleared >= limit:
            break
    return cleared


# what belongs to no order


def old_quarantined(
    session: Session, account_id: str, *, before: str, until: datetime, limit: int
) -> int:
    ((count,),) = session.rows(
        "old_quarantined", account_id=account_id, before=before, until=micros(until), limit=limit
    )
    return int(count)


def drop_quarantined(
    session: Session, account_id: str, *, before: str, until: datetime, limit: int
) -> int:
    with overwriting(session):
        return session.write(
            "drop_quarantined",
            account_id=account_id,
            before=before,
            until=micros(until),
            limit=limit,
        )


def old_notices(
    session: Session,
    account_id: str,
    *,
    prefix: str,
    after: Notice | None,
    until: datetime,
    limit: int,
) -> tuple[list[Notice], Notice | None]:
    place = notice_range(prefix, after)
    rows = session.rows("notices_page", account_id=account_id, **place, limit=limit)
    old = [notice_of(row) for row in rows if is_old_notice(row, until=micros(until))]
    return old, notice_of(rows[-1]) if len(rows) == limit else None


def drop_notices(session: Session, account_id: str, notices: Sequence[Notice]) -> int:
    dropped = 0
    with overwriting(session):
        for notice in notices:
            named = {"account_id": account_id, **msgspec.structs.asdict(notice)}
            if session.write("drop_notice", **named):
                session.write("clear_notice_attempts", **named)
                session.write("clear_notice_bodies", **named)
                dropped += 1
    return dropped


class UpkeepOnSqlite(ErasingOnSqlite):
    """The part of the store that clears away."""

    _writer: Writer
    _readers: Readers

    async def take_upkeep(self, *, lease: Lease, now: datetime, not_since: datetime | None) -> bool:
        work = partial(take_upkeep, lease=lease, now=now, not_since=not_since)
        return await self._writer.run(work)

    async def renew_upkeep(self, *, lease: Lease) -> bool:
        return await self._writer.run(partial(renew_upkeep, lease=lease))

    async def end_upkeep(self, *, owner: str, report: str, now: datetime) -> None:
        await self._writer.run(partial(end_upkeep, owner=owner, report=report, now=now))

    async def upkeep(self) -> UpkeepRecord:
        return await self._readers.run(upkeep)

    async def aged_orders(
        self, account_id: str, *, after: str, before: str, limit: int
    ) -> Sequence[Aged]:
        work = partial(aged_orders, account_id=account_id, after=after, before=before, limit=limit)
        return await self._readers.run(work)

    async def standings(self, account_id: str, order_ids: Sequence[str]) -> Sequence[Standing]:
        return await self._readers.run(
            partial(standings, account_id=account_id, order_ids=order_ids)
        )

    async def drop_orders(
        self, account_id: str, order_ids: Sequence[str], *, is_due: IsDue, now: datetime
    ) -> Sequence[str]:
        work = partial(
            drop_orders, account_id=account_id, order_ids=order_ids, is_due=is_due, now=now
        )
        return await self._writer.run(work, weight=len(order_ids))

    async def sweep(self, *, name: OrderName | None, limit: int) -> Swept:
        return await self._writer.run(partial(sweep, name=name, limit=limit), weight=limit)

    async def old_quarantined(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        work = partial(
            old_quarantined, account_id=account_id, before=before, until=until, limit=limit
        )
        return await self._readers.run(work)

    async def drop_quarantined(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        work = partial(
            drop_quarantined, account_id=account_id, before=before, until=until, limit=limit
        )
        return await self._writer.run(work, weight=limit)

    async def old_notices(
        self,
        account_id: str,
        *,
        prefix: str,
        after: Notice | None,
        until: datetime,
        limit: int,
    ) -> tuple[Sequence[Notice], Notice | None]:
        work = partial(
            old_notices,
            account_id=account_id,
            prefix=prefix,
            after=after,
            until=until,
            limit=limit,
        )
        return await self._readers.run(work)

    async def drop_notices(self, account_id: str, notices: Sequence[Notice]) -> int:
        work = partial(drop_notices, account_id=account_id, notices=notices)
        return await self._writer.run(work, weight=len(notices))
