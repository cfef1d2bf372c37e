"""Silences: found, raised and ended, told to whoever subscribed, and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import msgspec

from milepost.delivery.silence import MOST_LISTED, SilenceType
from milepost.orders.lifecycle import State
from milepost.orders.silence import Overdue, Own, Silence, SilenceKind
from milepost.ports import Page
from milepost.ports.silence import Heard, Raised, SilenceFilter, TellSilence
from milepost.store.cursors import next_cursor, read_cursor
from milepost.store.health_rows import notices_to
from milepost.store.rows import micros, micros_or_none
from milepost.store.silence_rows import (
    NEWEST,
    NUMBER,
    AfterSilence,
    Found,
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
from milepost.store.sqlite.intake import queue_deliveries
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


def is_silence_due(
    session: Session, account_id: str, *, wanted: Sequence[Overdue], now: datetime
) -> bool:
    watch = watch_of(session.row("silence_watch", account_id=account_id))
    if watch.tells_raised(now) or watch.tells_ended(now):
        return True
    if session.row("moved_orders", account_id=account_id, limit=1):
        return True
    return bool(_quiet_orders(session, account_id, wanted=wanted, limit=1))


def _quiet_orders(
    session: Session, account_id: str, *, wanted: Sequence[Overdue], limit: int
) -> list[Found]:
    found: list[Found] = []
    for one in wanted:
        if len(found) >= limit:
            break
        rows = session.rows(
            "quiet_orders",
            account_id=account_id,
            state=one.state.value,
            before=micros(one.before),
            limit=limit - len(found),
        )
        found += [(one, order_id, since_at) for order_id, since_at in rows]
    return found


def raise_silences(
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
    session.write("begin_silence_watch", account_id=account_id)
    watch = watch_of(session.row("silence_watch", account_id=account_id))
    found = _quiet_orders(session, account_id, wanted=wanted, limit=limit)
    session.batch(
        "insert_silences", silence_rows(account_id, found, first=watch.raised + 1, now=now)
    )
    session.batch("mark_silent", [(account_id, order_id) for _, order_id, _ in found])
    watch = msgspec.structs.replace(watch, raised=watch.raised + len(found))
    told, more = 0, len(found) >= limit
    if not more and watch.tells_raised(now):
        since = {"account_id": account_id, "told": watch.raised_told}
        ((told,),) = session.rows("count_untold_silences", **since)
        first = session.rows("first_untold_silences", **since, limit=MOST_LISTED)
        if told:
            _tell(
                session,
                account_id,
                SilenceType.SILENT,
                told,
                first,
                tell,
                due_at,
                registry=registry,
            )
        watch = watch.raised_told_by(now if told else None)
    session.write("keep_silence_watch", account_id=account_id, **watch_values(watch))
    return Raised(counted(one.kind for one, _, _ in found), more, told)


def end_silences(
    session: Session,
    account_id: str,
    *,
    limit: int,
    tell: TellSilence,
    now: datetime,
    due_at: datetime,
    registry: Registry,
) -> Raised:
    session.write("begin_silence_watch", account_id=account_id)
    watch = watch_of(session.row("silence_watch", account_id=account_id))
    moved = session.rows("moved_orders", account_id=account_id, limit=limit)
    ids = [(place, account_id, row[0]) for place, row in enumerate(moved)]
    open_ones = session.batch("open_silences_of", ids)
    endings, watch = endings_of(account_id, moved, open_ones, watch=watch, now=now)
    for ending in endings:
        session.write("end_silence", **ending.values)
    session.batch("unmark_silent", [(account_id, row[0]) for row in moved])
    told, more = 0, len(moved) >= limit
    if not more and watch.tells_ended(now):
        told = watch.ended - watch.ended_told
        first = session.rows(
            "first_untold_endings",
            account_id=account_id,
            told=watch.ended_told,
            limit=MOST_LISTED,
        )
        moved_again = SilenceType.MOVED_AGAIN
        _tell(session, account_id, moved_again, told, first, tell, due_at, registry=registry)
        watch = watch.ended_told_by(now)
    session.write("keep_silence_watch", account_id=account_id, **watch_values(watch))
    return Raised(counted(one.kind for one in endings), more, told)


def _tell(
    session: Session,
    account_id: str,
    type_: SilenceType,
    count: int,
    first: Sequence[Sequence[object]],
    tell: TellSilence,
    due_at: datetime,
    *,
    registry: Registry,
) -> None:
    """Queues it for whoever subscribed, under the next number of the account's silences."""
    told = listeners(registry.endpoints(session, (account_id,))[account_id])
    if not told:
        return
    notice = tell(type_, count, [silence_of(tuple(row)) for row in first])
    ((number,),) = session.rows("number_silence_notice", account_id=account_id)
    deliveries = notices_to(told, notice=notice, number=number)
    queue_deliveries(session, deliveries, created=set(), lease=None, now=due_at)


def put_heard(session: Session, heard: Sequence[Heard]) -> None:
    session.batch("put_heard", [(h.account_id, h.order_id, micros(h.at)) for h in heard])


def silences(
    session: Session, account_id: str, *, wanted: SilenceFilter, page: Page
) -> tuple[Sequence[Silence], str | None]:
    place = read_cursor(page.after, shape=AfterSilence)
    rows = session.rows(
        "open_silences_page" if wanted.is_open else "silences_page",
        account_id=account_id,
        before=NEWEST if place is None else place.before,
        **page_options(wanted),
        limit=page.limit + 1,
    )
    found = [silence_of(row) for row in rows[: page.limit]]
    return found, next_cursor(rows, limit=page.limit, columns=(NUMBER,))


def attending_silences(
    session: Session, account_id: str, *, after: datetime | None, page: Page
) -> tuple[Sequence[Silence], str | None]:
    place = read_cursor(page.after, shape=AfterSilence)
    rows = session.rows(
        "attending_silences",
        account_id=account_id,
        before=NEWEST if place is None else place.before,
        after=micros_or_none(after),
        limit=page.limit + 1,
    )
    found = [silence_of(row) for row in rows[: page.limit]]
    return found, next_cursor(rows, limit=page.limit, columns=(NUMBER,))


def count_silences(session: Session) -> Mapping[SilenceKind, int]:
    return {SilenceKind(kind): number for kind, number in session.rows("count_silences")}


def silence_thresholds(session: Session, account_id: str) -> Own:
    return own_of(session.rows("silence_thresholds", account_id=account_id))


def set_silence_thresholds(session: Session, account_id: str, own: Own, *, now: datetime) -> None:
    for state, after in own.items():
        values = threshold_values(state, after, now=now)
        session.write("put_silence_threshold", account_id=account_id, **values)


def reset_silence_thresholds(session: Session, account_id: str, states: Sequence[State]) -> None:
    for state in states:
        session.write("drop_silence_threshold", account_id=account_id, state=state.value)


class SilenceOnSqlite:
    """The part of the store that has to do with silences."""

    _writer: Writer
    _readers: Readers
    _registry: Registry

    async def is_silence_due(
        self, account_id: str, *, wanted: Sequence[Overdue], now: datetime
    ) -> bool:
        work = partial(is_silence_due, account_id=account_id, wanted=wanted, now=now)
        return await self._readers.run(work)

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
        return await self._writer.run(work, weight=2 * limit)

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
        return await self._writer.run(work, weight=2 * limit)

    async def put_heard(self, heard: Sequence[Heard]) -> None:
        await self._writer.run(partial(put_heard, heard=heard), weight=len(heard) or 1)

    async def silences(
        self, account_id: str, *, wanted: SilenceFilter, page: Page
    ) -> tuple[Sequence[Silence], str | None]:
        work = partial(silences, account_id=account_id, wanted=wanted, page=page)
        return await self._readers.run(work)

    async def attending_silences(
        self, account_id: str, *, after: datetime | None, page: Page
    ) -> tuple[Sequence[Silence], str | None]:
        work = partial(attending_silences, account_id=account_id, after=after, page=page)
        return await self._readers.run(work)

    async def count_silences(self) -> Mapping[SilenceKind, int]:
        return await self._readers.run(count_silences)

    async def silence_thresholds(self, account_id: str) -> Own:
        return await self._readers.run(partial(silence_thresholds, account_id=account_id))

    async def set_silence_thresholds(self, account_id: str, own: Own, *, now: datetime) -> None:
        await self._writer.run(
            partial(set_silence_thresholds, account_id=account_id, own=own, now=now)
        )

    async def reset_silence_thresholds(self, account_id: str, states: Sequence[State]) -> None:
        await self._writer.run(
            partial(reset_silence_thresholds, account_id=account_id, states=states)
        )
