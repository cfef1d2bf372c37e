"""Upkeep on PostgreSQL: orders are taken off and erased, and their rows swept, some at a time.

Taking an order off holds back its account's intake for as long as that takes, which is some rows of
one table; whatever was decided on the order before is decided again. Sweeping locks nothing that
anybody else wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import groupby

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
from milepost.store.postgres.erasing import ErasingOnPostgres, clear_person
from milepost.store.postgres.records import changed_setup
from milepost.store.postgres.session import Session
from milepost.store.postgres.writing import written
from milepost.store.rows import Row, micros
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


async def take_upkeep(
    session: Session, *, lease: Lease, now: datetime, not_since: datetime | None
) -> bool:
    await session.write("begin_upkeep_record")
    limit = {} if not_since is None else {"not_since": micros(not_since)}
    until = micros(lease.until)
    rows = await session.rows(
        "take_upkeep", owner=lease.owner, until=until, now=micros(now), **limit
    )
    return bool(rows)


async def renew_upkeep(session: Session, *, lease: Lease) -> bool:
    return bool(await session.write("renew_upkeep", owner=lease.owner, until=micros(lease.until)))


async def end_upkeep(session: Session, *, owner: str, report: str, now: datetime) -> None:
    await session.write("end_upkeep", owner=owner, report=report, now=micros(now))


async def upkeep(session: Session) -> UpkeepRecord:
    return upkeep_of(await session.row("upkeep"))


# orders


async def aged_orders(
    session: Session, account_id: str, *, after: str, before: str, limit: int
) -> list[Aged]:
    rows = await session.rows(
        "aged_orders", account_id=account_id, after=after, before=before, limit=limit
    )
    return [aged_of(row) for row in rows]


async def standings(session: Session, account_id: str, order_ids: Sequence[str]) -> list[Standing]:
    rows = await session.rows("standings", account_id=account_id, order_ids=list(order_ids))
    return [standing_of(row) for row in rows]


async def drop_orders(
    session: Session, account_id: str, order_ids: Sequence[str], *, is_due: IsDue, now: datetime
) -> list[str]:
    if not _due(await standings(session, account_id, order_ids), is_due=is_due):
        return []
    async with changed_setup(session, account_id):
        # Nobody changes an order of the account from here on.
        due = _due(await standings(session, account_id, order_ids), is_due=is_due)
        named = {"account_id": account_id, "order_ids": due}
        await session.write("drop_these_orders", **named, now=micros(now))
    return due


def _due(found: Sequence[Standing], *, is_due: IsDue) -> list[str]:
    return [one.order_id for one in found if not one.is_pending and is_due(one)]


async def sweep(session: Session, *, name: OrderName | None, limit: int) -> Swept:
    async with session.transaction():
        if name is None:
            found = await session.rows("removals", limit=ORDERS_AT_ONCE + 1)
        else:
            named = {"account_id": name[0], "order_id": name[1]}
            found = await session.rows("removal_of_order", **named)
        rows = ended = 0
        for (account_id, scope), some in groupby(found[:ORDERS_AT_ONCE], key=_kind):
            order_ids = [row[1] for row in some]
            cleared, finished = await _clear(
                session, account_id, order_ids, scope=scope, limit=limit - rows
            )
            rows += cleared
            ended += len(finished)
            await session.write("end_removals", account_id=account_id, order_ids=finished)
            if rows >= limit:
                break
    return Swept(rows=rows, orders=ended, more=ended < len(found))


def _kind(row: Row) -> tuple[str, str]:
    return row[0], row[2]


async def _clear(
    session: Session, account_id: str, order_ids: list[str], *, scope: str, limit: int
) -> tuple[int, list[str]]:
    """How many rows were cleared away, and of which orders all."""
    cleared = 0
    if scope == ORDER_SCOPE:
        orders = {"account_id": account_id, "order_ids": order_ids}
        for statement in CLEARED_ORDER:
            cleared += await session.write(statement, **orders, limit=limit - cleared)
            if cleared >= limit:
                return cleared, []
        return cleared, order_ids
    finished: list[str] = []
    for order_id in order_ids:
        cleared += await clear_person(session, account_id, order_id, limit=limit - cleared)
        if cleared >= limit:
            break
        finished.append(order_id)
    return cleared, finished


# what belongs to no order


async def old_quarantined(
    session: Session, account_id: str, *, before: str, until: datetime, limit: int
) -> int:
    ((count,),) = await session.rows(
        "old_quarantined", account_id=account_id, before=before, until=micros(until), limit=limit
    )
    return int(count)


async def drop_quarantined(
    session: Session, account_id: str, *, before: str, until: datetime, limit: int
) -> int:
    return await session.write(
        "drop_quarantined", account_id=account_id, before=before, until=micros(until), limit=limit
    )


async def old_notices(
    session: Session,
    account_id: str,
    *,
    prefix: str,
    after: Notice | None,
    until: datetime,
    limit: int,
) -> tuple[list[Notice], Notice | None]:
    place = notice_range(prefix, after)
    rows = await session.rows("notices_page", account_id=account_id, **place, limit=limit)
    old = [notice_of(row) for row in rows if is_old_notice(row, until=micros(until))]
    return old, notice_of(rows[-1]) if len(rows) == limit else None


async def drop_notices(session: Session, account_id: str, notices: Sequence[Notice]) -> int:
    dropped = 0
    async with session.transaction():
        for notice in notices:
            named = {"account_id": account_id, **msgspec.structs.asdict(notice)}
            if await session.write("drop_notice", **named):
                await session.write("clear_notice_attempts", **named)
                await session.write("clear_notice_bodies", **named)
                dropped += 1
    return dropped


class UpkeepOnPostgres(ErasingOnPostgres):
    """The part of the store that clears away."""

    async def take_upkeep(self, *, lease: Lease, now: datetime, not_since: datetime | None) -> bool:
        work = partial(take_upkeep, lease=lease, now=now, not_since=not_since)
        return await written(self._main, work)

    async def renew_upkeep(self, *, lease: Lease) -> bool:
        return await written(self._main, partial(renew_upkeep, lease=lease))

    async def end_upkeep(self, *, owner: str, report: str, now: datetime) -> None:
        await written(self._main, partial(end_upkeep, owner=owner, report=report, now=now))

    async def upkeep(self) -> UpkeepRecord:
        async with self._readers.session() as session:
            return await upkeep(session)

    async def aged_orders(
        self, account_id: str, *, after: str, before: str, limit: int
    ) -> Sequence[Aged]:
        async with self._readers.session() as session:
            return await aged_orders(session, account_id, after=after, before=before, limit=limit)

    async def standings(self, account_id: str, order_ids: Sequence[str]) -> Sequence[Standing]:
        async with self._readers.session() as session:
            return await standings(session, account_id, order_ids)

    async def drop_orders(
        self, account_id: str, order_ids: Sequence[str], *, is_due: IsDue, now: datetime
    ) -> Sequence[str]:
        work = partial(
            drop_orders, account_id=account_id, order_ids=order_ids, is_due=is_due, now=now
        )
        return await written(self._main, work)

    async def sweep(self, *, name: OrderName | None, limit: int) -> Swept:
        return await written(self._main, partial(sweep, name=name, limit=limit))

    async def old_quarantined(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        async with self._readers.session() as session:
            return await old_quarantined(
                session, account_id, before=before, until=until, limit=limit
            )

    async def drop_quarantined(
        self, account_id: str, *, before: str, until: datetime, limit: int
    ) -> int:
        work = partial(
            drop_quarantined, account_id=account_id, before=before, until=until, limit=limit
        )
        return await written(self._main, work)

    async def old_notices(
        self,
        account_id: str,
        *,
        prefix: str,
        after: Notice | None,
        until: datetime,
        limit: int,
    ) -> tuple[Sequence[Notice], Notice | None]:
        async with self._readers.session() as session:
            return await old_notices(
                session, account_id, prefix=prefix, after=after, until=until, limit=limit
            )

    async def drop_notices(self, account_id: str, notices: Sequence[Notice]) -> int:
        return await written(
            self._main, partial(drop_notices, account_id=account_id, notices=notices)
        )
