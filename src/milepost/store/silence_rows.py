"""Silences as rows and back, the same for every database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from milepost.delivery.model import Endpoint, Operational
from milepost.delivery.silence import is_to_tell
from milepost.orders.lifecycle import State
from milepost.orders.silence import Overdue, Own, Silence, SilenceKind
from milepost.ports.silence import SilenceFilter
from milepost.store.cursors import Number
from milepost.store.rows import STATES, Row, micros, micros_or_none, moment, moment_or_none

NEWEST = 2**63 - 1
"""What every silence's number is below."""

NUMBER = 1
"""The column of a silence's number."""


class AfterSilence(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of silences ended."""

    before: Number


class Watch(msgspec.Struct, frozen=True):
    """How far an account's silences, and the ends of those, are numbered and told."""

    raised: int = 0
    raised_told: int = 0
    raised_told_at: datetime | None = None
    ended: int = 0
    ended_told: int = 0
    ended_told_at: datetime | None = None

    def tells_raised(self, now: datetime) -> bool:
        """Whether silences are to be told of that were not."""
        return self.raised > self.raised_told and is_to_tell(self.raised_told_at, now=now)

    def tells_ended(self, now: datetime) -> bool:
        """Whether ends are to be told of that were not."""
        return self.ended > self.ended_told and is_to_tell(self.ended_told_at, now=now)

    def raised_told_by(self, now: datetime | None) -> Watch:
        """After all that was raised was told, at this time if anything was left to tell."""
        at = now or self.raised_told_at
        return msgspec.structs.replace(self, raised_told=self.raised, raised_told_at=at)

    def ended_told_by(self, now: datetime) -> Watch:
        """After all that ended was told."""
        return msgspec.structs.replace(self, ended_told=self.ended, ended_told_at=now)


def watch_of(row: Row | None) -> Watch:
    if row is None:
        return Watch()
    return Watch(row[0], row[1], moment_or_none(row[2]), row[3], row[4], moment_or_none(row[5]))


def watch_values(watch: Watch) -> dict[str, Any]:
    return {
        "raised": watch.raised,
        "raised_told": watch.raised_told,
        "raised_told_at": micros_or_none(watch.raised_told_at),
        "ended": watch.ended,
        "ended_told": watch.ended_told,
        "ended_told_at": micros_or_none(watch.ended_told_at),
    }


def silence_of(row: Row) -> Silence:
    return Silence(
        account_id=row[0],
        number=row[NUMBER],
        order_id=row[2],
        kind=SilenceKind(row[3]),
        state=STATES[row[4]],
        since_at=moment(row[5]),
        after=timedelta(seconds=row[6]),
        raised_at=moment(row[7]),
        ended_at=moment_or_none(row[8]),
        ended_state=None if row[9] is None else STATES[row[9]],
        store=row[10],
        order_key=row[11],
    )


Found = tuple[Overdue, str, int]
"""What an order was found by, its id, and when it was heard of last, in microseconds."""


def silence_rows(
    account_id: str, found: Iterable[Found], *, first: int, now: datetime
) -> list[Row]:
    """Rows of new silences, numbered from `first`."""
    return [
        (
            account_id,
            first + place,
            order_id,
            overdue.kind.value,
            overdue.state.value,
            since_at,
            int(overdue.after.total_seconds()),
            micros(now),
        )
        for place, (overdue, order_id, since_at) in enumerate(found)
    ]


def counted(kinds: Iterable[str]) -> dict[SilenceKind, int]:
    """How many of which kind."""
    counts: dict[SilenceKind, int] = {}
    for kind in kinds:
        counts[SilenceKind(kind)] = counts.get(SilenceKind(kind), 0) + 1
    return counts


class Ending(msgspec.Struct, frozen=True):
    """One silence that ends, and what is written of it."""

    kind: str
    values: Mapping[str, Any]


def endings_of(
    account_id: str, moved: Sequence[Row], open_ones: Sequence[Row], *, watch: Watch, now: datetime
) -> tuple[list[Ending], Watch]:
    """The ends of the silences of these orders; those that were told of get a number to tell."""
    endings: list[Ending] = []
    ended = watch.ended
    for position, number, kind, raised_at in open_ones:
        _, state, at = moved[position]
        told = number <= watch.raised_told
        ended += told
        values = {
            "account_id": account_id,
            "number": number,
            "ended_at": max(raised_at, min(at, micros(now))),
            "ended_state": state,
            "ended_number": ended if told else None,
        }
        endings.append(Ending(kind, values))
    return endings, msgspec.structs.replace(watch, ended=ended)


def listeners(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Those of an account's endpoints that subscribed to operational events."""
    return [one for one in endpoints if one.operational is not Operational.NONE]


def page_options(wanted: SilenceFilter) -> dict[str, Any]:
    """The parameters of a page that these silences are on."""
    return {
        "kind": None if wanted.kind is None else wanted.kind.value,
        "state": None if wanted.state is None else wanted.state.value,
        "ended": True if wanted.is_open is False else None,
    }


def own_of(rows: Iterable[Row]) -> Own:
    return {
        STATES[state]: None if after_s is None else timedelta(seconds=after_s)
        for state, after_s in rows
    }


def threshold_values(state: State, after: timedelta | None, *, now: datetime) -> dict[str, Any]:
    return {
        "state": state.value,
        "after_s": None if after is None else int(after.total_seconds()),
        "now": micros(now),
    }
