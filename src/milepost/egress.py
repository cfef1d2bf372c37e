"""The list of networks that notifications are sent from: planned ahead, so that receivers know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from milepost.delivery.egress import (
    Action,
    EgressChange,
    Network,
    beginning_of,
    check_change,
    earliest_day,
    in_use,
    network_of,
    record_text,
    to_announce,
    to_come,
)
from milepost.errors import InvalidInput, UnknownRecord
from milepost.ports import NewId, Now
from milepost.ports.egress import EgressStore

CHANGE = "egr_"
_ID_LENGTH = 10


class EgressRecord(msgspec.Struct, frozen=True):
    """What the DNS record says on a day, and the change that makes it so, if any."""

    day: date
    text: str
    networks: tuple[Network, ...]
    because: EgressChange | None = None


class EgressList(msgspec.Struct, frozen=True):
    """What is sent from now, and what is planned, the next change first."""

    networks: tuple[Network, ...]
    planned: tuple[EgressChange, ...]


class Egress:
    """Keeps the list; what it returns is on disk."""

    def __init__(self, store: EgressStore, *, now: Now, new_id: NewId) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id

    async def list(self) -> EgressList:
        """The networks in use, and the changes to come."""
        now, changes = self._now(), await self._store.egress_changes()
        return EgressList(in_use(changes, at=now), to_come(changes, at=now))

    async def plan(
        self, network: str, *, action: Action, on: date | None = None, force: bool = False
    ) -> EgressChange:
        """Plans a change for the beginning of a day, the first possible one unless told.

        Raises InvalidInput, also when the day is less than a week away, unless forced.
        """
        now = self._now()
        change = EgressChange(
            change_id=CHANGE + self._new_id()[-_ID_LENGTH:],
            network=str(network_of(network)),
            action=action,
            effective_at=beginning_of(on or earliest_day(now)),
            planned_at=now,
            forced=force,
        )
        check_change(change, await self._store.egress_changes(), now=now)
        await self._store.add_egress_change(change)
        return change

    async def cancel(self, change_id: str) -> EgressChange:
        """Takes back a change that is not in effect yet. Raises UnknownRecord, InvalidInput."""
        now = self._now()
        found = await self._named(change_id)
        if found.effective_at <= now:
            raise InvalidInput(field="change", expected="one that is not in effect yet")
        await self._store.cancel_egress_change(change_id, now=now)
        return msgspec.structs.replace(found, cancelled_at=now)

    async def records(self) -> Sequence[EgressRecord]:
        """The record for today, and for each day on which a change takes effect."""
        now, changes = self._now(), await self._store.egress_changes()
        days: dict[datetime, EgressChange] = {}
        for change in to_come(changes, at=now):
            days.setdefault(change.effective_at, change)
        return [
            _record(changes, at=now),
            *(_record(changes, at=at, because=change) for at, change in days.items()),
        ]

    async def record_on(self, day: date) -> EgressRecord:
        """The record for the end of a day: what of it takes effect is in it."""
        at = max(self._now(), beginning_of(day))
        return _record(await self._store.egress_changes(), at=at)

    async def _named(self, change_id: str) -> EgressChange:
        for change in await self._store.egress_changes():
            if change.change_id == change_id and change.cancelled_at is None:
                return change
        raise UnknownRecord(change_id)


def _record(
    changes: Sequence[EgressChange], *, at: datetime, because: EgressChange | None = None
) -> EgressRecord:
    networks = to_announce(changes, at=at)
    return EgressRecord(at.date(), record_text(networks), networks, because)
