"""Silence as rules: how long a state may last, and what is overdue at a given time; pure.

Days are days of 24 hours, of every day of the week: nobody here knows which days a warehouse or a
carrier works. The numbers are ours, for no provider publishes any.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import msgspec

from milepost.errors import InvalidInput
from milepost.orders.lifecycle import ENDS, State

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=365)
"""What a threshold of an account's own may be."""


class SilenceKind(StrEnum):
    """What is missing: the order's next step, or the carrier's next word."""

    STATE = "state_too_long"
    CARRIER = "carrier_silent"


class Threshold(msgspec.Struct, frozen=True, gc=False):
    """How long a state may last before somebody should look; None is for ever.

    Of the kind `state_too_long` it counts from when the state began, of the kind `carrier_silent`
    from when anything was heard of the parcel last, in whichever state.
    """

    state: State
    kind: SilenceKind
    after: timedelta | None
    why: str


def _lasting(state: State, after: timedelta | None, why: str) -> Threshold:
    return Threshold(state, SilenceKind.STATE, after, why)


def _unheard(state: State, after: timedelta | None, why: str) -> Threshold:
    return Threshold(state, SilenceKind.CARRIER, after, why)


_HOURS, _DAYS = timedelta(hours=1), timedelta(days=1)

DEFAULTS: Mapping[State, Threshold] = MappingProxyType(
    {
        one.state: one
        for one in (
            _lasting(State.CREATED, _DAYS, "a new order is checked within minutes, or never"),
            _lasting(State.VERIFYING, _DAYS, "an address check is a matter of minutes"),
            _lasting(State.VERIFIED, _DAYS, "it is handed to the warehouse on the same day"),
            _lasting(State.SCHEDULED, None, "it waits for a date on purpose"),
            _lasting(State.ADDRESS_ERROR, 2 * _DAYS, "the customer has to be asked, and answers"),
            _lasting(State.SUBMIT_FAILED, 4 * _HOURS, "a failed hand-over is mended by a person"),
            _lasting(State.SUBMITTED, 2 * _DAYS, "a warehouse begins within a day or two"),
            _lasting(State.PICKING, _DAYS, "picking is the work of a shift"),
            _lasting(State.PACKING, _DAYS, "packing is the work of a shift"),
            _lasting(State.PACKED, 2 * _DAYS, "carriers collect every day, less on weekends"),
            _lasting(
                State.READY_TO_SHIP, 2 * _DAYS, "carriers collect every day, less on weekends"
            ),
            _lasting(State.ON_HOLD, 5 * _DAYS, "whoever holds an order has a reason for some days"),
            _lasting(State.BACKORDERED, 14 * _DAYS, "stock comes back within a delivery cycle"),
            _lasting(State.CANCEL_REQUESTED, _DAYS, "unanswered for longer, it ships all the same"),
            _unheard(State.SHIPPED, 3 * _DAYS, "a parcel has its first scan within days"),
            _unheard(State.INFO_RECEIVED, 3 * _DAYS, "a parcel has its first scan within days"),
            _unheard(State.IN_TRANSIT, 5 * _DAYS, "a parcel on its way is scanned every few days"),
            _unheard(State.DELAYED, 5 * _DAYS, "a delay is followed by a scan, or by a loss"),
            _lasting(State.OUT_FOR_DELIVERY, 2 * _DAYS, "a van comes back on the same day"),
            _lasting(State.ATTEMPT_FAILED, 3 * _DAYS, "another attempt follows within days"),
            _lasting(State.AVAILABLE_FOR_PICKUP, 7 * _DAYS, "after it, many are sent back"),
            _lasting(State.EXCEPTION, 2 * _DAYS, "what is in trouble seldom mends itself"),
            _unheard(State.UNDELIVERABLE, 5 * _DAYS, "it is sent back, or nobody knows of it"),
            _unheard(State.RETURNING, 21 * _DAYS, "the way back is slow and seldom scanned"),
        )
    }
)
"""The threshold of each state that is no end."""

UNHEARD = frozenset(s for s, one in DEFAULTS.items() if one.kind is SilenceKind.CARRIER)
"""States in which every word of a carrier's counts, also one that changes nothing."""

assert not ENDS & DEFAULTS.keys()  # noqa: S101 - an end lasts


class Overdue(msgspec.Struct, frozen=True, gc=False):
    """What is looked for: orders in this state that were last heard of by `before`."""

    state: State
    kind: SilenceKind
    after: timedelta
    before: datetime


class Silence(msgspec.Struct, frozen=True, gc=False):
    """An order of which nothing was heard for too long, once for each time that it falls silent.

    `since_at` is when it was last heard of, `after` the threshold that was over by `raised_at`;
    `ended_at` is when it moved again and `ended_state` where to, None while it is silent.
    """

    account_id: str
    number: int
    order_id: str
    kind: SilenceKind
    state: State
    since_at: datetime
    after: timedelta
    raised_at: datetime
    ended_at: datetime | None = None
    ended_state: State | None = None
    store: str | None = None
    order_key: str | None = None


Own = Mapping[State, timedelta | None]
"""The thresholds that an account has set itself; None is one that it has switched off."""


def thresholds(own: Own) -> tuple[Threshold, ...]:
    """The thresholds that count for an account, in the order of `State`."""
    return tuple(
        msgspec.structs.replace(DEFAULTS[state], after=own.get(state, DEFAULTS[state].after))
        for state in State
        if state in DEFAULTS
    )


def overdue(own: Own, *, now: datetime) -> tuple[Overdue, ...]:
    """What is looked for at this time, state by state."""
    return tuple(
        Overdue(one.state, one.kind, one.after, now - one.after)
        for one in thresholds(own)
        if one.after is not None
    )


def silent_from(state: State, *, since: datetime, own: Own) -> datetime | None:
    """When an order that was last heard of then falls silent in this state; None is never."""
    after = own.get(state, DEFAULTS[state].after) if state in DEFAULTS else None
    return None if after is None else since + after


def check_threshold(state: State, after: timedelta | None, *, field: str) -> None:
    """Raises InvalidInput for an end, and for a threshold that is too short or too long."""
    if state in ENDS:
        raise InvalidInput(field=field, expected=f"a state that is no end, which {state} is")
    if after is not None and not SHORTEST <= after <= LONGEST:
        raise InvalidInput(field=field, expected="1 minute to 365 days, or nothing to switch off")
