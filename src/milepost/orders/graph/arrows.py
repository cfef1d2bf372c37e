"""What the picture of the lifecycle shows: where each state stands, and the arrows that are drawn.

Positions are all that is decided here: every arrow stands for edges of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType

import msgspec

from milepost.orders.graph.phases import PHASES
from milepost.orders.graph.strokes import Box, Point
from milepost.orders.lifecycle import (
    BEFORE_SHIPPING,
    EDGES,
    LATE,
    MAIN_LINE,
    MOVING,
    WAREHOUSE_LINE,
    EdgeClass,
    State,
)

S = State

BEFORE, WAREHOUSE, LINE = "before_shipping", "warehouse", "warehouse_line"
MOVES, ON_THE_WAY = "moving", "carrier"
GROUPS: Mapping[str, tuple[State, ...]] = MappingProxyType(
    {
        BEFORE: BEFORE_SHIPPING,
        WAREHOUSE: PHASES["Warehouse"],
        LINE: WAREHOUSE_LINE,
        MOVES: MOVING,
        ON_THE_WAY: LATE,
    }
)
"""What an arrow may stand for beside a state: an arrow of a group is one of each of its members."""


class Arrow(msgspec.Struct, frozen=True):
    """An arrow between two states or groups, and how it runs.

    `start` and `end` are a side and how far from its middle. It bends at `x`, at `y` or at both;
    with neither it is straight, or has one corner where the two sides ask for it. `both` puts a
    head at either end: the way back is as legal.
    """

    origin: str
    target: str
    start: tuple[str, float] = ("bottom", 0)
    end: tuple[str, float] = ("top", 0)
    x: float | None = None
    y: float | None = None
    both: bool = False
    label: str = ""

    @property
    def steps(self) -> tuple[tuple[State, State], ...]:
        """All the steps that the arrow stands for, those of the way back too."""
        origins, targets = members(self.origin), members(self.target)
        there = tuple((a, b) for a in origins for b in targets if a is not b)
        return (*there, *((b, a) for a, b in there)) if self.both else there

    @property
    def edge_class(self) -> EdgeClass:
        """The class of its steps, which is the same for all of them."""
        return EDGES[self.steps[0]].edge_class


def members(name: str) -> tuple[State, ...]:
    """The states that an end of an arrow stands for."""
    return GROUPS[name] if name in GROUPS else (State(name),)


# --- where everything stands ----------------------------------------------------------------------

WIDTH = 1212
_NODE_W, _NODE_H, _PITCH = 166, 34, 52
_PANEL_W, _TOP = 212, 150
_INTAKE, _WAREHOUSE, _CARRIER = 38, 300, 584
_FIRST = _TOP + 70
_PANEL_H = 70 + 6.6 * _PITCH + _NODE_H + 20
_BELOW = _TOP + _PANEL_H + 62
BOTTOM = _BELOW + 46 + _NODE_H + _PITCH + 20

PANELS: Mapping[str, Box] = MappingProxyType(
    {
        "Intake": Box(_INTAKE, _TOP, _PANEL_W, _PANEL_H),
        "Warehouse": Box(_WAREHOUSE, _TOP, _PANEL_W, _PANEL_H),
        "Cancellation": Box(_WAREHOUSE, _BELOW, _PANEL_W, BOTTOM - _BELOW),
        "Carrier": Box(_CARRIER, _TOP, WIDTH - 24 - _CARRIER, BOTTOM - _TOP),
        "Elsewhere": Box(_INTAKE, _BELOW, _PANEL_W, 46 + _NODE_H + 20),
    }
)

_PLACES: tuple[tuple[float, float, Mapping[State, float]], ...] = (
    (
        _INTAKE + 23,
        _FIRST,
        {
            S.CREATED: 0,
            S.VERIFYING: 1,
            S.VERIFIED: 2,
            S.SCHEDULED: 3,
            S.SUBMIT_FAILED: 5.6,
            S.ADDRESS_ERROR: 6.6,
        },
    ),
    (_WAREHOUSE + 23, _FIRST, {state: row for row, state in enumerate(WAREHOUSE_LINE)}),
    (_WAREHOUSE + 23, _FIRST, {S.ON_HOLD: 5.6, S.BACKORDERED: 6.6}),
    (_WAREHOUSE + 23, _BELOW + 46, {S.CANCEL_REQUESTED: 0, S.CANCELLED: 1}),
    (_INTAKE + 23, _BELOW + 46, {S.FULFILLED_ELSEWHERE: 0}),
    (
        _CARRIER + 23,
        _FIRST,
        {S.SHIPPED: 0, S.INFO_RECEIVED: 1.3, S.IN_TRANSIT: 3.4, S.OUT_FOR_DELIVERY: 6.4},
    ),
    (_CARRIER + 23, _FIRST, {S.DELIVERED: 9.4}),
    (
        _CARRIER + 206,
        _FIRST,
        {S.DELAYED: 3.4, S.EXCEPTION: 4.4, S.ATTEMPT_FAILED: 5.4, S.AVAILABLE_FOR_PICKUP: 6.4},
    ),
    (_CARRIER + 420, _FIRST, {S.UNTRACKED: 0, S.EXPIRED: 3.4, S.UNDELIVERABLE: 4.9}),
    (_CARRIER + 420, _FIRST, {S.RETURNING: 6.4, S.RETURNED: 9.4}),
)

STATES: Mapping[State, Box] = MappingProxyType(
    {
        state: Box(x, y + row * _PITCH, _NODE_W, _NODE_H)
        for x, y, rows in _PLACES
        for state, row in rows.items()
    }
)


def _around(states: Iterable[State], *, pad: float, above: float = 0) -> Box:
    boxes = [STATES[state] for state in states]
    left, top = min(b.x for b in boxes) - pad, min(b.y for b in boxes) - pad - above
    right, bottom = max(b.x + b.width for b in boxes), max(b.y + b.height for b in boxes)
    return Box(left, top, right + pad - left, bottom + pad - top)


FRAMES: Mapping[str, tuple[Box, str]] = MappingProxyType(
    {
        BEFORE: (
            Box(24, _TOP - 32, _WAREHOUSE + _PANEL_W - 10, _PANEL_H + 46),
            "before shipping",
        ),
        LINE: (_around(WAREHOUSE_LINE, pad=17), ""),
        MOVES: (_around(MOVING, pad=13, above=16), "moving, in any order"),
    }
)
_BOXES: Mapping[str, Box] = MappingProxyType(
    {
        **{state.value: box for state, box in STATES.items()},
        **{name: frame for name, (frame, _) in FRAMES.items()},
        WAREHOUSE: PANELS["Warehouse"],
        ON_THE_WAY: PANELS["Carrier"],
    }
)

_INTO_WAREHOUSE, _INTO_CARRIER = _WAREHOUSE - 25, _CARRIER - 50

MAIN: tuple[Arrow, ...] = tuple(
    Arrow(a, b)
    if (a, b) not in ((S.SCHEDULED, S.SUBMITTED), (S.READY_TO_SHIP, S.SHIPPED))
    else Arrow(
        a,
        b,
        start=("right", 0),
        x=_INTO_WAREHOUSE if b is S.SUBMITTED else _INTO_CARRIER,
        y=_TOP + 38,
    )
    for a, b in pairwise(MAIN_LINE)
)

ARROWS: tuple[Arrow, ...] = (
    *MAIN,
    Arrow(S.SCHEDULED, S.SUBMIT_FAILED, both=True),
    Arrow(
        S.VERIFYING,
        S.ADDRESS_ERROR,
        start=("left", 0),
        end=("left", 0),
        x=_INTAKE + 11,
        both=True,
    ),
    Arrow(LINE, S.ON_HOLD, both=True),
    Arrow(LINE, S.BACKORDERED, ("left", 90), ("left", 0), x=_WAREHOUSE - 8, both=True),
    Arrow(BEFORE, S.FULFILLED_ELSEWHERE),
    Arrow(BEFORE, S.CANCELLED, ("bottom", 0), ("left", 0)),
    Arrow(WAREHOUSE, S.CANCEL_REQUESTED, ("bottom", 0), ("top", 46), both=True, label="refused"),
    Arrow(S.CANCEL_REQUESTED, S.CANCELLED),
    Arrow(S.CANCEL_REQUESTED, ON_THE_WAY, ("right", 0), ("left", 0), label="too late"),
    Arrow(S.SHIPPED, S.UNTRACKED, ("right", 0), ("left", 0)),
    Arrow(MOVES, S.EXPIRED, ("right", 0), ("left", 0), both=True),
    Arrow(MOVES, S.UNDELIVERABLE, ("right", 0), ("left", 0), both=True),
    Arrow(MOVES, S.RETURNING, ("right", 0), ("left", 0)),
    Arrow(MOVES, S.DELIVERED, ("bottom", 26), ("right", -9)),
    Arrow(S.UNDELIVERABLE, S.RETURNING),
    Arrow(S.RETURNING, S.RETURNED),
    Arrow(S.PACKED, S.PICKING, ("right", 0), ("right", 0), x=_WAREHOUSE + _PANEL_W - 14),
    Arrow(S.SHIPPED, S.READY_TO_SHIP, ("left", 0), ("right", 10), x=_CARRIER - 28),
    Arrow(S.CANCELLED, ON_THE_WAY, ("right", 0), ("left", 0)),
    Arrow(S.DELIVERED, MOVES, ("right", 1), ("bottom", 62)),
    Arrow(S.DELIVERED, S.RETURNING, ("right", 11), ("left", 10), x=_CARRIER + 402),
)
"""What the picture shows beside its table of all edges."""


def points(arrow: Arrow) -> list[Point]:
    """The ends and the corners of an arrow."""
    start = _BOXES[arrow.origin].anchor(*arrow.start)
    end = _BOXES[arrow.target].anchor(*arrow.end)
    upright = {side: side in ("top", "bottom") for side in (arrow.start[0], arrow.end[0])}
    leaves_upright, comes_upright = upright[arrow.start[0]], upright[arrow.end[0]]
    if arrow.x is not None and arrow.y is not None:
        corners = [(arrow.x, start[1]), (arrow.x, arrow.y), (end[0], arrow.y)]
    elif arrow.x is not None:
        corners = [(arrow.x, start[1]), (arrow.x, end[1])]
    elif leaves_upright is not comes_upright:
        corners = [(start[0], end[1]) if leaves_upright else (end[0], start[1])]
    else:
        # A straight arrow of a group leaves it right across from the state at its other end.
        corners = []
        fixed = start if arrow.target in GROUPS else end
        start = (fixed[0], start[1]) if leaves_upright else (start[0], fixed[1])
        end = (fixed[0], end[1]) if leaves_upright else (end[0], fixed[1])
    return [start, *corners, end]
