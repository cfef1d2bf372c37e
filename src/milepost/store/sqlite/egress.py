"""The networks that notifications are sent from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from milepost.delivery.egress import EgressChange
from milepost.errors import UnknownRecord
from milepost.store.egress_rows import egress_of, egress_values
from milepost.store.rows import micros
from milepost.store.sqlite.readers import Readers
from milepost.store.sqlite.session import Session
from milepost.store.sqlite.writer import Writer


def egress_changes(session: Session) -> Sequence[EgressChange]:
    return [egress_of(row) for row in session.rows("egress_changes")]


def add_egress_change(session: Session, change: EgressChange) -> None:
    session.write("add_egress_change", **egress_values(change))


def cancel_egress_change(session: Session, change_id: str, *, now: datetime) -> None:
    if not session.write("cancel_egress_change", change_id=change_id, now=micros(now)):
        raise UnknownRecord(change_id)


class EgressOnSqlite:
    """The part of the store that has to do with sender addresses."""

    _writer: Writer
    _readers: Readers

    async def egress_changes(self) -> Sequence[EgressChange]:
        return await self._readers.run(egress_changes)

    async def add_egress_change(self, change: EgressChange) -> None:
        await self._writer.run(partial(add_egress_change, change=change))

    async def cancel_egress_change(self, change_id: str, *, now: datetime) -> None:
        await self._writer.run(partial(cancel_egress_change, change_id=change_id, now=now))
