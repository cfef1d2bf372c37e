"""What the picture of Withings' words shows: where each word stands, and the arrows between them.

Positions are all that is decided here: every arrow stands for steps of the sequences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from milepost.contracts.withings.payloads import PENDING, SHIPPED
from milepost.contracts.withings.sequences import (
    BEFORE_SHIPPING,
    DRAWN,
    UNDELIVERED,
    UNDERWAY,
    Origin,
)
from milepost.orders.graph.strokes import Box, Point

CANCELLABLE, MOVING, OPEN_ENDED = "cancellable", "moving", "undelivered"
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {CANCELLABLE: BEFORE_SHIPPING, MOVING: UNDERWAY, OPEN_ENDED: UNDELIVERED}
)
"""What an arrow may stand for beside a word: an arrow of a group is one of each of its members."""


class Arrow(msgspec.Struct, frozen=True):
    """An arrow between two words or groups: its corners, and whether the way back is drawn too."""

    before: str
    after: str
    corners: tuple[Point, ...]
    both: bool = False

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """All the steps that the arrow stands for, those of the way back too."""
        there = tuple((a, b) for a in members(self.before) for b in members(self.after) if a != b)
        return (*there, *((b, a) for a, b in there)) if self.both else there

    @property
    def origin(self) -> Origin:
        """Where its steps are known from, which is the same for all of them."""
        return DRAWN[self.steps[0]].origin


def members(name: str) -> tuple[str, ...]:
    """The words that an end of an arrow stands for."""
    return GROUPS.get(name, (name,))


# --- where everything stands ----------------------------------------------------------------------

_W, _H, _PITCH = 186, 34, 58
_TOP, _FIRST = 132, 186
_A, _B, _C, _D, _E = 50, 316, 590, 798, 1020
WIDTH = 1250

_PLACES: tuple[tuple[float, Mapping[str, float]], ...] = (
    (
        _A,
        {
            "CREATED": 0,
            "ADDRESS VERIFICATION": 1,
            "VERIFIED": 2.15,
            "PROCESSING": 3.3,
            "OPEN": 4.45,
            SHIPPED: 5.8,
        },
    ),
    (_B, {"ADDRESS ERROR": 1, "FAILED": 2.72, "BACKHOLD": 3.87, "TRASHED": 5.8}),
    (_C, {PENDING: 0.5, "info_received": 1.5, "in_transit": 2.95, "delayed": 3.85}),
    (_C, {"pickup": 4.75}),
    (_D, {"failed_attempt": 3.25, "exception": 4.45}),
    (_E, {"expired": 1, "delivered": 3.25, "return": 4.45}),
)
NODES: Mapping[str, Box] = MappingProxyType(
    {
        word: Box(x, _FIRST + row * _PITCH, _W, _H)
        for x, rows in _PLACES
        for word, row in rows.items()
    }
)
BOTTOM = _FIRST + 5.8 * _PITCH + _H + 26
PANELS: Mapping[str, Box] = MappingProxyType(
    {
        "status": Box(24, _TOP, 504, BOTTOM - _TOP),
        "parcel_status": Box(552, _TOP, WIDTH - 24 - 552, BOTTOM - _TOP),
    }
)


def _around(words: Iterable[str], *, pad: float, above: float = 0) -> Box:
    boxes = [NODES[word] for word in words]
    left, top = min(b.x for b in boxes) - pad, min(b.y for b in boxes) - pad - above
    right, bottom = max(b.x + b.width for b in boxes), max(b.y + b.height for b in boxes)
    return Box(left, top, right + pad - left, bottom + pad - top)


FRAMES: Mapping[str, tuple[Box, str]] = MappingProxyType(
    {
        CANCELLABLE: (_around(BEFORE_SHIPPING, pad=12), ""),
        OPEN_ENDED: (_around(UNDELIVERED, pad=26, above=16), "not delivered"),
        MOVING: (_around(UNDERWAY, pad=12, above=18), "on its way, in any order"),
    }
)
_BOXES: Mapping[str, Box] = MappingProxyType(
    {**NODES, **{name: frame for name, (frame, _) in FRAMES.items()}}
)


def _at(name: str, side: str, shift: float = 0) -> Point:
    return _BOXES[name].anchor(side, shift)


def _straight(before: str, after: str, sides: tuple[str, str] = ("bottom", "top")) -> Arrow:
    """Straight across or down; at a group it meets the side right over from the word."""
    start, end = _at(before, sides[0]), _at(after, sides[1])
    fixed = end if before in GROUPS else start
    if sides[0] in ("top", "bottom"):
        return Arrow(before, after, ((fixed[0], start[1]), (fixed[0], end[1])))
    return Arrow(before, after, ((start[0], fixed[1]), (end[0], fixed[1])))


def _beside(before: str, after: str, x: float, shifts: Point, *, both: bool = True) -> Arrow:
    """From the first column to the second, with a bend between them."""
    start, end = _at(before, "right", shifts[0]), _at(after, "left", shifts[1])
    return Arrow(before, after, (start, (x, start[1]), (x, end[1]), end), both)


def _corner(before: str, after: str) -> Arrow:
    """Down, and then to the left."""
    start, end = _at(before, "bottom"), _at(after, "right", -6)
    return Arrow(before, after, (start, (start[0], end[1]), end))


def _to_pending() -> Arrow:
    """From the last status around below to the first parcel status."""
    start, end = _at(SHIPPED, "bottom"), _at(PENDING, "left")
    below = start[1] + 14
    return Arrow(SHIPPED, PENDING, (start, (start[0], below), (540, below), (540, end[1]), end))


ARROWS: tuple[Arrow, ...] = (
    _straight("CREATED", "ADDRESS VERIFICATION"),
    _straight("ADDRESS VERIFICATION", "VERIFIED"),
    _straight("ADDRESS VERIFICATION", "ADDRESS ERROR", ("right", "left")),
    _corner("ADDRESS ERROR", "VERIFIED"),
    _straight("VERIFIED", "PROCESSING"),
    _beside("VERIFIED", "FAILED", 268, (6, -6), both=False),
    _beside("PROCESSING", "FAILED", 284, (-7, 6)),
    _straight("PROCESSING", "OPEN"),
    _beside("PROCESSING", "BACKHOLD", 268, (7, -6)),
    _beside("OPEN", "BACKHOLD", 284, (0, 6)),
    _straight("OPEN", SHIPPED),
    _straight(CANCELLABLE, "TRASHED"),
    _to_pending(),
    _straight(PENDING, "info_received"),
    _straight("info_received", "in_transit"),
    _straight(OPEN_ENDED, "expired", ("right", "left")),
    _straight(MOVING, "delivered", ("right", "left")),
    _straight(MOVING, "return", ("right", "left")),
)
"""What the picture shows beside its table of all steps."""
