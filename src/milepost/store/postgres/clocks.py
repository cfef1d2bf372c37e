"""Clocks of accounts on PostgreSQL."""

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
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.records import changed_setup
from milepost.store.postgres.session import Session
from milepost.store.postgres.wakes import Wakes
from milepost.store.postgres.writing import written
from milepost.store.rows import micros


async def clock(session: Session, account_id: str) -> Clock:
    return clock_of(await session.row("clock", account_id=account_id), account_id)


async def waits(session: Session, clock: Clock, *, now: datetime) -> Waits:
    mine = {"account_id": clock.account_id}
    async with session.one_state():
        rows = [(await session.rows(name, **mine, now=micros(now)))[0] for name in WAITING]
        at = there_at(clock, now=now)
        (trackings,) = await session.rows("waiting_trackings", **mine, there=at)
        quiet = await session.rows("waiting_silences", **mine)
    return waits_of(rows, trackings, quiet, clock=clock)


async def move_clock(session: Session, clock: Clock, *, by: timedelta, now: datetime) -> bool:
    """An intake that was decided by the clock as it was is committed before, or decides again."""
    named = {"account_id": clock.account_id, "by": span(by)}
    async with changed_setup(session, clock.account_id):
        if not await session.write("move_clock", **moved_values(clock, by=by)):
            return False
        await session.rows("lock_account_lanes", account_id=clock.account_id)
        for name in MOVED:
            await session.write(name, **named, now=micros(now))
        await session.write("move_health", **named)
    return True


class ClocksOnPostgres:
    """The part of the store that has to do with the clocks of accounts."""

    _main: Pool
    _readers: Pool
    _wakes: Wakes

    async def clock(self, account_id: str) -> Clock:
        async with self._readers.session() as session:
            return await clock(session, account_id)

    async def waits(self, clock: Clock, *, now: datetime) -> Waits:
        async with self._readers.session() as session:
            return await waits(session, clock, now=now)

    async def move_clock(self, clock: Clock, *, by: timedelta, now: datetime) -> bool:
        moved = await written(self._main, partial(move_clock, clock=clock, by=by, now=now))
        self._wakes.tell()
        return moved
