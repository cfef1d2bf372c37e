"""Silences: found, raised and ended, told to whoever subscribed, and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from milepost.delivery.silence import MOST_LISTED, SilenceType
from milepost.orders.lifecycle import State
from milepost.orders.silence import Overdue, Own, Silence, SilenceKind
from milepost.ports import Page
from milepost.ports.silence import Heard, Raised, SilenceFilter, TellSilence
from milepost.store.cursors import next_cursor, read_cursor
from milepost.store.health_rows import notices_to
from milepost.store.postgres.health import queue_notices, setup_of
from milepost.store.postgres.packing import plain
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.registry import Registry
from milepost.store.postgres.session import Session
from milepost.store.postgres.wakes import Wakes
from milepost.store.postgres.writing import written
from milepost.store.rows import Row, micros, micros_or_none
from milepost.store.silence_rows import (
    NEWEST,
    NUMBER,
    AfterSilence,
    Found,
    Watch,
    counted,
    endings_of,
    listeners,
    own_of,
    page_options,
    silence_of,
    silence_rows,
    threshold_values,
    watch_of,
    watch_values,
)

NOTHING = Raised({})


async def is_silence_due(
    session: Session, account_id: str, *, wanted: Sequence[Overdue], now: datetime
) -> bool:
    watch = watch_of(await session.row("silence_watch", account_id=account_id))
    if watch.tells_raised(now) or watch.tells_ended(now):
        return True
    if await session.row("any_moved_order", account_id=account_id):
        return True
    return bool(await session.batch("any_quiet_order", _wanted_rows(account_id, wanted)))


def _wanted_rows(account_id: str, wanted: Sequence[Overdue]) -> list[Row]:
    return [(account_id, one.state.value, micros(one.before)) for one in wanted]


async def _locked(session: Session, account_id: str) -> Watch | None:
    """The account's watch until the transaction ends; None while somebody else has it."""
    await session.row("share_setup", account_id=account_id)
    row = await session.row("lock_silence_watch", account_id=account_id)
    return None if row is None else watch_of(row)


async def _begin(session: Session, account_id: str) -> None:
    if await session.row("silence_watch", account_id=account_id) is None:
        await session.write("begin_silence_watch", account_id=account_id)


async def raise_silences(
    session: Session,
    account_id: str,
    *,
    wanted: Sequence[Overdue],
    limit: int,
    tell: TellSilence,
    now: datetime,
    due_at: datetime,
    registry: Registry,
) -> Raised:
    await _begin(session, account_id)
    async with session.transaction():
        watch = await _locked(session, account_id)
        if watch is None:
            return NOTHING
        found = await _quiet_orders(session, account_id, wanted=wanted, limit=limit)
        if found:
            rows = silence_rows(account_id, found, first=watch.raised + 1, now=now)
            await session.batch("insert_silences", rows)
            await session.batch("mark_silent", [(account_id, order_id) for _, order_id, _ in found])
        watch = msgspec.structs.replace(watch, raised=watch.raised + len(found))
        told, more = 0, len(found) >= limit
        if not more and watch.tells_raised(now):
            since = {"account_id": account_id, "told": watch.raised_told}
            ((told,),) = await session.rows("count_untold_silences", **since)
            first = await session.rows("first_untold_silences", **since, limit=MOST_LISTED)
            if told:
                silent = SilenceType.SILENT
                await _tell(
                    session, account_id, silent, told, first, tell, due_at, registry=registry
                )
            watch = watch.raised_told_by(now if told else None)
        await session.write("keep_silence_watch", account_id=account_id, **watch_values(watch))
    return Raised(counted(one.kind for one, _, _ in found), more, told)


async def _quiet_orders(
    session: Session, account_id: str, *, wanted: Sequence[Overdue], limit: int
) -> list[Found]:
    rows = await session.batch("quiet_orders", _wanted_rows(account_id, wanted), limit)
    return [(wanted[row[0] - 1], plain((row[1],))[0], row[2]) for row in rows]


async def end_silences(
    session: Session,
    account_id: str,
    *,
    limit: int,
    tell: TellSilence,
    now: datetime,
    due_at: datetime,
    registry: Registry,
) -> Raised:
    await _begin(session, account_id)
    async with session.transaction():
        watch = await _locked(session, account_id)
        if watch is None:
            return NOTHING
        moved = await session.rows("moved_orders", account_id=account_id, limit=limit)
        ids = [(account_id, row[0]) for row in moved]
        found = await session.batch("open_silences_of", ids) if ids else ()
        open_ones = [(row[0] - 1, *row[1:]) for row in found]
        endings, watch = endings_of(account_id, moved, open_ones, watch=watch, now=now)
        for ending in endings:
            await session.write("end_silence", **ending.values)
        if ids:
            await session.batch("unmark_silent", ids)
        told, more = 0, len(moved) >= limit
        if not more and watch.tells_ended(now):
            told = watch.ended - watch.ended_told
            first = await session.rows(
                "first_untold_endings",
                account_id=account_id,
                told=watch.ended_told,
                limit=MOST_LISTED,
            )
            again = SilenceType.MOVED_AGAIN
            await _tell(session, account_id, again, told, first, tell, due_at, registry=registry)
            watch = watch.ended_told_by(now)
        await session.write("keep_silence_watch", account_id=account_id, **watch_values(watch))
    return Raised(counted(one.kind for one in endings), more, told)


async def _tell(
    session: Session,
    account_id: str,
    type_: SilenceType,
    count: int,
    first: Sequence[Row],
    tell: TellSilence,
    due_at: datetime,
    *,
    registry: Registry,
) -> None:
    """Queues it for whoever subscribed, under the next number of the account's silences."""
    setup = await setup_of(session, account_id, registry=registry)
    told = listeners(setup.endpoints)
    if not told:
        return
    notice = tell(type_, count, [silence_of(row) for row in first])
    ((number,),) = await session.rows("number_silence_notice", account_id=account_id)
    await queue_notices(session, notices_to(told, notice=notice, number=number), now=due_at)


async def put_heard(session: Session, heard: Sequence[Heard]) -> None:
    rows = sorted((h.account_id, h.order_id, micros(h.at)) for h in heard)
    await session.batch("put_heard", rows)


async def _page(
    session: Session, name: str, account_id: str, *, page: Page, **options: Any
) -> tuple[Sequence[Silence], str | None]:
    place = read_cursor(page.after, shape=AfterSilence)
    rows = await session.rows(
        name,
        account_id=account_id,
        before=NEWEST if place is None else place.before,
        **options,
        limit=page.limit + 1,
    )
    found = [silence_of(row) for row in rows[: page.limit]]
    return found, next_cursor(rows, limit=page.limit, columns=(NUMBER,))


async def set_silence_thresholds(
    session: Session, account_id: str, own: Own, *, now: datetime
) -> None:
    """In the order of the key, as everybody does who changes several."""
    async with session.transaction():
        for state in sorted(own):
            values = threshold_values(state, own[state], now=now)
            await session.write("put_silence_threshold", account_id=account_id, **values)


async def reset_silence_thresholds(
    session: Session, account_id: str, states: Sequence[State]
) -> None:
    async with session.transaction():
        for state in sorted(states):
            named = {"account_id": account_id, "state": state.value}
            await session.write("drop_silence_threshold", **named)


class SilenceOnPostgres:
    """The part of the store that has to do with silences."""

    _main: Pool
    _readers: Pool
    _registry: Registry
    _wakes: Wakes

    async def is_silence_due(
        self, account_id: str, *, wanted: Sequence[Overdue], now: datetime
    ) -> bool:
        async with self._readers.session() as session:
            return await is_silence_due(session, account_id, wanted=wanted, now=now)

    async def raise_silences(
        self,
        account_id: str,
        *,
        wanted: Sequence[Overdue],
        limit: int,
        tell: TellSilence,
        now: datetime,
        due_at: datetime,
    ) -> Raised:
        work = partial(
            raise_silences,
            account_id=account_id,
            wanted=wanted,
            limit=limit,
            tell=tell,
            now=now,
            due_at=due_at,
            registry=self._registry,
        )
        return self._woken(await written(self._main, work))

    async def end_silences(
        self,
        account_id: str,
        *,
        limit: int,
        tell: TellSilence,
        now: datetime,
        due_at: datetime,
    ) -> Raised:
        work = partial(
            end_silences,
            account_id=account_id,
            limit=limit,
            tell=tell,
            now=now,
            due_at=due_at,
            registry=self._registry,
        )
        return self._woken(await written(self._main, work))

    def _woken(self, raised: Raised) -> Raised:
        if raised.told:
            self._wakes.tell()
        return raised

    async def put_heard(self, heard: Sequence[Heard]) -> None:
        await written(self._main, partial(put_heard, heard=heard))

    async def silences(
        self, account_id: str, *, wanted: SilenceFilter, page: Page
    ) -> tuple[Sequence[Silence], str | None]:
        async with self._readers.session() as session:
            options = page_options(wanted)
            name = "open_silences_page" if wanted.is_open else "silences_page"
            return await _page(session, name, account_id, page=page, **options)

    async def attending_silences(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Silence], str | None]:
        async with self._readers.session() as session:
            options = {"after": micros_or_none(after)}
            return await _page(session, "attending_silences", account_id, page=page, **options)

    async def count_silences(self) -> Mapping[SilenceKind, int]:
        async with self._readers.session() as session:
            return {SilenceKind(kind): n for kind, n in await session.rows("count_silences")}

    async def silence_thresholds(self, account_id: str) -> Own:
        async with self._readers.session() as session:
            return own_of(await session.rows("silence_thresholds", account_id=account_id))

    async def set_silence_thresholds(self, account_id: str, own: Own, *, now: datetime) -> None:
        work = partial(set_silence_thresholds, account_id=account_id, own=own, now=now)
        await written(self._main, work)

    async def reset_silence_thresholds(self, account_id: str, states: Sequence[State]) -> None:
        work = partial(reset_silence_thresholds, account_id=account_id, states=states)
        await written(self._main, work)
