"""Tracking as rules: when a carrier is asked next, when that ends, and what a scan becomes.

Time and chance come in as arguments. Whether a step is legal stays the lifecycle's to decide: what
a scan becomes is an update like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import msgspec

from milepost.orders.events import Update
from milepost.orders.lifecycle import CARRIER, ENDS, State, way_to
from milepost.orders.model import Order, Parcel

SOURCE = "tracker"
"""Who says what the tracker has found out."""

RETURN_WATCHED = timedelta(days=5)
"""For how long a parcel is watched after its first return event (published by Withings)."""

EXPIRES_AFTER = timedelta(days=45)
"""How old a parcel becomes that is not delivered (published by Withings)."""

TOO_EARLY = timedelta(minutes=10)
"""How far a carrier's clock may be ahead of ours; what lies further ahead has not happened yet."""

JITTER = 0.1
"""By which part of itself a wait is varied, so that what shipped together is not asked together."""

MOST_SCANS = 100
"""Of a parcel's scans so many are remembered, the latest."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
"""How long is waited after a first failure, and after many."""


class Pace(msgspec.Struct, frozen=True):
    """How often a carrier is asked for a parcel that is younger than this."""

    younger_than: timedelta
    every: timedelta


PACES: tuple[Pace, ...] = (
    Pace(timedelta(days=3), timedelta(hours=2)),
    Pace(timedelta(days=7), timedelta(hours=4)),
    Pace(timedelta(days=14), timedelta(hours=8)),
    Pace(timedelta.max, timedelta(days=1)),
)
"""The schedule, which is ours: nothing is published of how often a carrier is asked."""


class Ending(StrEnum):
    """Why a parcel is not watched any longer."""

    DELIVERED = "delivered"
    RETURNED = "returned"
    RETURN_WATCHED = "return_watched"
    EXPIRED = "expired"
    UNTRACKED = "untracked"
    FAKE = "fake"
    GONE = "gone"


class Scan(msgspec.Struct, frozen=True, gc=False):
    """A tracking point as a carrier reports it, with its own id where it has one.

    `state` is None for a word of the carrier's that nobody has given a meaning.
    """

    occurred_at: datetime
    state: State | None
    raw: str = ""
    scan_id: str | None = None
    carrier_service: str | None = None

    @property
    def key(self) -> str:
        """Its identity: by its id, else by what it tells; 16 hexadecimal digits."""
        told = self.scan_id or f"{self.occurred_at.isoformat()} {self.raw} {self.state}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]


class Tracking(msgspec.Struct, frozen=True, gc=False):
    """A parcel that is watched, or was.

    `since_at` is what its age is counted from: when it was made, or reopened. `due_at` is when it
    is looked at next, None once that has ended. `asks` counts how often its carrier was asked,
    `failures` how often in vain since it last worked. `returned_at` is its first return event,
    `scans` are the keys of the scans that were taken.
    """

    account_id: str
    order_id: str
    parcel: str
    since_at: datetime
    due_at: datetime | None
    asked_at: datetime | None = None
    asks: int = 0
    failures: int = 0
    returned_at: datetime | None = None
    scans: tuple[str, ...] = ()
    ended: Ending | None = None
    trouble: str = ""


class Ask(msgspec.Struct, frozen=True):
    """Its carrier is asked now."""


class Expire(msgspec.Struct, frozen=True):
    """It has been on its way for too long: the lifecycle is told that it expired."""


class Rest(msgspec.Struct, frozen=True):
    """There is nothing to ask; it is looked at again then."""

    until: datetime


class Stop(msgspec.Struct, frozen=True):
    """It is not watched any longer."""

    why: Ending


Step = Ask | Expire | Rest | Stop

_ENDINGS: Mapping[State, Ending] = MappingProxyType(
    {
        State.DELIVERED: Ending.DELIVERED,
        State.RETURNED: Ending.RETURNED,
        State.EXPIRED: Ending.EXPIRED,
    }
)
_ON_THE_WAY = CARRIER - ENDS
_AFTER_RETURN = frozenset((State.RETURNED, State.EXPIRED))


def next_step(tracking: Tracking, order: Order | None, *, now: datetime) -> Step:
    """What is done about a parcel now; the order, or None where there is none any longer."""
    parcel = parcel_named(order, tracking.parcel)
    if order is None or parcel is None or parcel.state is None:
        return Stop(Ending.GONE)
    if order.fake:
        # Nobody brings what test mode has made up.
        return Stop(Ending.FAKE)
    ending = _ENDINGS.get(parcel.state)
    if ending is not None:
        return Stop(ending)
    if parcel.state is State.UNTRACKED:
        return _beside_an_untracked(tracking, order, now=now)
    if parcel.state is State.RETURNING:
        over = _first_return(tracking, parcel) + RETURN_WATCHED <= now
        return Stop(Ending.RETURN_WATCHED) if over else Ask()
    return Expire() if now >= tracking.since_at + EXPIRES_AFTER else Ask()


def _beside_an_untracked(tracking: Tracking, order: Order, *, now: datetime) -> Step:
    """An order that waits beside a parcel without tracking for ever would never end."""
    if order.state in ENDS:
        return Stop(Ending.UNTRACKED)
    over = tracking.since_at + EXPIRES_AFTER
    if now < over:
        return Rest(over)
    if any(p.state in _ON_THE_WAY for p in order.parcels):
        return Rest(now + PACES[-1].every)
    return Expire()


def parcel_named(order: Order | None, name: str) -> Parcel | None:
    """The parcel of this name; None where there is none."""
    parcels = () if order is None else order.parcels
    return next((p for p in parcels if p.parcel == name), None)


def pace_at(age: timedelta) -> timedelta:
    """How long is waited between two questions about a parcel of this age."""
    return next(pace.every for pace in PACES if age < pace.younger_than)


def after_asking(
    tracking: Tracking, order: Order | None, *, now: datetime, chance: float
) -> Tracking:
    """The tracking after its carrier has answered, due again by its pace or when its time is over.

    `chance` is a random number from 0 to 1.
    """
    asked = msgspec.structs.replace(
        tracking, asked_at=now, asks=tracking.asks + 1, failures=0, trouble=""
    )
    return onward(asked, order, now=now, wait=_varied(pace_at(now - tracking.since_at), chance))


def after_failure(
    tracking: Tracking,
    order: Order | None,
    *,
    trouble: str,
    now: datetime,
    chance: float,
    wait: timedelta | None = None,
) -> Tracking:
    """The tracking after a question without an answer: asked again sooner, later each time.

    With a `wait` of the carrier's own that holds, unless it is longer than the pace.
    """
    pace = pace_at(now - tracking.since_at)
    pause = min(FIRST_PAUSE * 2 ** min(tracking.failures, 20), LONGEST_PAUSE, pace)
    failed = msgspec.structs.replace(
        tracking,
        asked_at=now,
        asks=tracking.asks + 1,
        failures=tracking.failures + 1,
        trouble=trouble,
    )
    chosen = pause if wait is None else min(wait, pace)
    return onward(failed, order, now=now, wait=_varied(chosen, chance))


def onward(tracking: Tracking, order: Order | None, *, now: datetime, wait: timedelta) -> Tracking:
    """The tracking with what its parcel has come to: ended, or due again after this wait."""
    parcel = parcel_named(order, tracking.parcel)
    if parcel is not None:
        tracking = msgspec.structs.replace(tracking, returned_at=_returned_at(tracking, parcel))
    match next_step(tracking, order, now=now):
        case Stop(why):
            return stopped(tracking, why)
        case Rest(until):
            return msgspec.structs.replace(tracking, due_at=until)
        case Ask() | Expire():
            due_at = min(now + wait, _deadline(tracking))
            return msgspec.structs.replace(tracking, due_at=max(due_at, now))


def stopped(tracking: Tracking, why: Ending) -> Tracking:
    """The tracking that has ended."""
    return msgspec.structs.replace(tracking, due_at=None, ended=why)


def _deadline(tracking: Tracking) -> datetime:
    if tracking.returned_at is not None:
        return tracking.returned_at + RETURN_WATCHED
    return tracking.since_at + EXPIRES_AFTER


def _returned_at(tracking: Tracking, parcel: Parcel) -> datetime | None:
    """Its first return event; none where a correction says that it was not on its way back."""
    if parcel.state not in (State.RETURNING, State.RETURNED):
        return None
    return _first_return(tracking, parcel)


def _first_return(tracking: Tracking, parcel: Parcel) -> datetime:
    return tracking.returned_at or parcel.state_at or tracking.since_at


def _varied(wait: timedelta, chance: float) -> timedelta:
    return wait * (1 + JITTER * (2 * chance - 1))


# --- scans ----------------------------------------------------------------------------------------


def news(
    scans: Sequence[Scan], *, seen: Sequence[str], parcel: Parcel, now: datetime
) -> tuple[Scan, ...]:
    """Those scans that tell something new of the parcel, in the order in which they happened.

    Carriers repeat a parcel's whole story with each answer. What was taken is known by its key;
    and should a process have died between taking scans in and noting their keys, then by the
    parcel itself: nothing is new that stands before the scan which brought it where it is. What
    has not happened yet by our clock is left for later.
    """
    story = sorted(
        (s for s in scans if s.occurred_at <= now + TOO_EARLY), key=lambda scan: scan.occurred_at
    )
    at = parcel.state_at
    fresh = story[_told_until(story, parcel) :]
    return tuple(s for s in fresh if s.key not in seen and (at is None or s.occurred_at >= at))


def _told_until(story: Sequence[Scan], parcel: Parcel) -> int:
    """Behind which scan of its story the parcel stands; 0 where none has brought it there.

    Of several at one time it is the last that can have: an attempt that failed, a delivery and
    the same attempt again end at the delivery, and that must not be taken for told.
    """
    here, until = None, 0
    for i, scan in enumerate(story):
        if scan.occurred_at != parcel.state_at:
            continue
        target = scan.state if here is None else state_beside(scan.state, here)
        if here is None:
            here = target if target is parcel.state else None
        elif target is not None and way_to(here, target) is not None:
            here = target
        if here is not None and here is target is parcel.state:
            until = i + 1
    return until


def updates_of(
    scans: Sequence[Scan], *, parcel: Parcel, source: str = SOURCE
) -> tuple[Update, ...]:
    """What these scans of a parcel say, one update for each step.

    Several stations in one state are one step, and a word without a meaning is none.
    """
    here = parcel.state
    told: list[Update] = []
    for scan in scans:
        target = state_beside(scan.state, here)
        if target is None or target is here:
            continue
        told.append(update_of(scan, target, parcel=parcel.parcel, source=source))
        here = target
    return tuple(told)


def state_beside(told: State | None, here: State | None) -> State | None:
    """The state that a scan brings a parcel to that is here; None where it brings it nowhere.

    On the way back, which is our reading, stations say nothing new, and a delivery is the one to
    the sender; that it was one to the customer after all is a correction, for a person to make.
    """
    if here is not State.RETURNING:
        return told
    return State.RETURNED if told is State.DELIVERED else told if told in _AFTER_RETURN else None


def update_of(scan: Scan, state: State, *, parcel: str, source: str) -> Update:
    """The update that a scan becomes."""
    return Update(
        source=source,
        state=state,
        occurred_at=scan.occurred_at,
        raw=scan.raw or None,
        parcel=parcel,
        carrier_service=scan.carrier_service,
    )


def expiry(tracking: Tracking, *, now: datetime) -> Update:
    """The update that says that a parcel has been on its way for too long."""
    return Update(
        source=SOURCE,
        state=State.EXPIRED,
        occurred_at=now,
        parcel=tracking.parcel,
        note=f"not delivered within {EXPIRES_AFTER.days} days",
    )


def remembered(seen: Sequence[str], scans: Sequence[Scan]) -> tuple[str, ...]:
    """The keys of what was taken, with those of these scans; the oldest are forgotten.

    A word without a meaning is not taken: it may be given one.
    """
    taken = (scan.key for scan in scans if scan.state is not None)
    return tuple(dict.fromkeys((*seen, *taken)))[-MOST_SCANS:]
