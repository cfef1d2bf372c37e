"""Clocks of accounts on SQLite."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from milepost.ports.clocks import Clock, Waits
from milepost.store.clock_rows import (
    MOVED,
    WAITING,
    clock_of,
    moved_values,
    span,
    there_at,
    waits_of,
)
from milepost.store.rows import micros
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.registry import Registry
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


def clock(session: Session, account_id: str) -> Clock:
    return clock_of(session.row("clock", account_id=account_id), account_id)


def waits(session: Session, clock: Clock, *, now: datetime) -> Waits:
    mine = {"account_id": clock.account_id}
    rows = [session.rows(name, **mine, now=micros(now))[0] for name in WAITING]
    (trackings,) = session.rows("waiting_trackings", **mine, there=there_at(clock, now=now))
    quiet = session.rows("waiting_silences", **mine)
    return waits_of(rows, trackings, quiet, clock=clock)


def move_clock(
    session: Session, clock: Clock, *, by: timedelta, now: datetime, registry: Registry
) -> bool:
    if not session.write("move_clock", **moved_values(clock, by=by)):
        return False
    named = {"account_id": clock.account_id, "by": span(by)}
    for name in MOVED:
        session.write(name, **named, now=micros(now))
    session.write("move_health", **named)
    registry.forget()
    return True


class ClocksOnSqlite:
    """The part of the store that has to do with the clocks of accounts."""

    _registry: Registry
    _writer: Writer
    _readers: Readers

    async def clock(self, account_id: str) -> Clock:
        return await self._readers.run(partial(clock, account_id=account_id))

    async def waits(self, clock: Clock, *, now: datetime) -> Waits:
        return await self._readers.run(partial(waits, clock=clock, now=now))

    async def move_clock(self, clock: Clock, *, by: timedelta, now: datetime) -> bool:
        work = partial(move_clock, clock=clock, by=by, now=now, registry=self._registry)
        return await self._writer.run(work)
