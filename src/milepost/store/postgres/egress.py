"""The networks that notifications are sent from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from milepost.delivery.egress import EgressChange
from milepost.errors import UnknownRecord
from milepost.store.egress_rows import egress_of, egress_values
from milepost.store.postgres.pool import Pool
from milepost.store.postgres.session import Session
from milepost.store.postgres.writing import written
from milepost.store.rows import micros


async def egress_changes(session: Session) -> Sequence[EgressChange]:
    return [egress_of(row) for row in await session.rows("egress_changes")]


async def add_egress_change(session: Session, change: EgressChange) -> None:
    await session.write("add_egress_change", **egress_values(change))


async def cancel_egress_change(session: Session, change_id: str, *, now: datetime) -> None:
    if not await session.write("cancel_egress_change", change_id=change_id, now=micros(now)):
        raise UnknownRecord(change_id)


class EgressOnPostgres:
    """The part of the store that has to do with sender addresses."""

    _main: Pool
    _readers: Pool

    async def egress_changes(self) -> Sequence[EgressChange]:
        async with self._readers.session() as session:
            return await egress_changes(session)

    async def add_egress_change(self, change: EgressChange) -> None:
        await written(self._main, partial(add_egress_change, change=change))

    async def cancel_egress_change(self, change_id: str, *, now: datetime) -> None:
        await written(self._main, partial(cancel_egress_change, change_id=change_id, now=now))
