"""An order's way over the lifecycle as a drawing: one main line, what lies beside it, the path.

Where each state stands is decided here and nowhere else; colors are the stylesheet's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

import msgspec

from milepost.insights import EventView
from milepost.orders.events import EventType
from milepost.orders.lifecycle import MAIN_LINE, State

S = State

_PITCH, _LEFT = 72, 44
_ROWS = (92, 158, 238)
WIDTH, HEIGHT = _LEFT * 2 + _PITCH * (len(MAIN_LINE) - 1), 300
_LINE = 14
_ABOVE, _BELOW = 18, 24

_BESIDE: Mapping[State, tuple[int, int]] = MappingProxyType(
    {
        S.ADDRESS_ERROR: (1, 1),
        S.SUBMIT_FAILED: (3, 1),
        S.ON_HOLD: (5, 1),
        S.BACKORDERED: (7, 1),
        S.UNTRACKED: (9, 1),
        S.DELAYED: (10, 1),
        S.EXCEPTION: (11, 1),
        S.ATTEMPT_FAILED: (12, 1),
        S.AVAILABLE_FOR_PICKUP: (13, 1),
        S.FULFILLED_ELSEWHERE: (1, 2),
        S.CANCEL_REQUESTED: (5, 2),
        S.CANCELLED: (7, 2),
        S.EXPIRED: (10, 2),
        S.UNDELIVERABLE: (11, 2),
        S.RETURNING: (12, 2),
        S.RETURNED: (13, 2),
    }
)
PLACES: Mapping[State, tuple[int, int]] = MappingProxyType(
    {**{state: (column, 0) for column, state in enumerate(MAIN_LINE)}, **_BESIDE}
)
"""The column and the row of each state."""

_PHASES = (("Intake", 0, 3), ("Warehouse", 4, 8), ("Carrier", 9, 13))


class Band(msgspec.Struct, frozen=True):
    """A phase: its name and the columns that it spans."""

    name: str
    x: float
    width: float


class Station(msgspec.Struct, frozen=True):
    """A state as it is drawn.

    `look` is off, skipped, been or here; `time` is when the order came there last.
    """

    state: State
    x: float
    y: float
    look: str
    lines: tuple[tuple[float, str], ...]
    time_y: float
    time: datetime | None


class Leg(msgspec.Struct, frozen=True):
    """A step that was taken, as the path of a line; a correction looks different."""

    path: str
    correction: bool


class Drawing(msgspec.Struct, frozen=True):
    """Everything that is drawn; `told` says the same in a sentence.

    `days` is how long it took so far: times are shown shorter the longer that is.
    """

    bands: tuple[Band, ...]
    stations: tuple[Station, ...]
    legs: tuple[Leg, ...]
    track: str
    told: str
    days: float
    width: int = WIDTH
    height: int = HEIGHT


def drawing(events: Sequence[EventView]) -> Drawing:
    """The way of an order through these events, oldest first."""
    steps = [e for e in events if e.type in (EventType.CREATED, EventType.STATE_CHANGED)]
    been = {step.state: step.occurred_at for step in steps}
    skipped = {state for step in steps for state in step.skipped} - been.keys()
    here = steps[-1].state if steps else None
    legs = {
        (a.state, b.state): Leg(_path(a.state, b.state), b.correction)
        for a, b in pairwise(steps)
        if a.state is not b.state
    }
    return Drawing(
        bands=tuple(
            Band(name, _x(first) - _PITCH / 2 + 3, (last - first + 1) * _PITCH - 6)
            for name, first, last in _PHASES
        ),
        stations=tuple(
            _station(state, been=been, skipped=skipped, is_here=state is here) for state in PLACES
        ),
        legs=tuple(legs.values()),
        track=f"M{_x(0)} {_ROWS[0]}H{_x(len(MAIN_LINE) - 1)}",
        told=_told(steps),
        days=_days(been.values()),
    )


def _days(times: Collection[datetime]) -> float:
    """How long it took so far, in days."""
    return (max(times) - min(times)) / timedelta(days=1) if times else 0


def _x(column: int) -> int:
    return _LEFT + _PITCH * column


def _station(
    state: State, *, been: Mapping[State, datetime], skipped: set[State], is_here: bool
) -> Station:
    column, row = PLACES[state]
    x, y = _x(column), _ROWS[row]
    look = "here" if is_here else "been" if state in been else "off"
    if state in skipped:
        look = "skipped"
    words = _in_lines(state)
    # Above the main line, where no way leads; below beside it.
    first = y - _ABOVE - _LINE * (len(words) - 1) if row == 0 else y + _BELOW
    lines = tuple((first + _LINE * i, word) for i, word in enumerate(words))
    time_y = first - _LINE if row == 0 else lines[-1][0] + _LINE
    return Station(state, x, y, look, lines, time_y, been.get(state))


def _in_lines(state: State) -> tuple[str, ...]:
    """The name in one line, or in two where it is long."""
    words = state.value.replace("_", " ").capitalize()
    if len(words) <= 11 or " " not in words:
        return (words,)
    cut = min(
        (i for i, letter in enumerate(words) if letter == " "),
        key=lambda i: max(i, len(words) - i),
    )
    return words[:cut], words[cut + 1 :]


def _path(origin: State, target: State) -> str:
    (a, row), (b, below) = PLACES[origin], PLACES[target]
    x, y, to_x, to_y = _x(a), _ROWS[row], _x(b), _ROWS[below]
    if row != below:
        middle = (y + to_y) / 2
        return f"M{x} {y}C{x} {middle:g} {to_x} {middle:g} {to_x} {to_y}"
    if b - a == 1 or (row == 0 and b > a) or (row and a - b == 1):
        return f"M{x} {y}H{to_x}"
    depth = y + min(28 + 6 * abs(b - a), 52)
    return f"M{x} {y}C{x} {depth} {to_x} {depth} {to_x} {to_y}"


def _told(steps: Sequence[EventView]) -> str:
    if not steps:
        return "Nothing has happened to the order."
    names = []
    for step in steps:
        name = step.state.value.replace("_", " ")
        if step.correction:
            name += " by a correction"
        if step.skipped:
            passed = " and ".join(s.value.replace("_", " ") for s in step.skipped)
            name += f" (passing over {passed})"
        names.append(name)
    return f"The way of the order: {', then '.join(names)}."
