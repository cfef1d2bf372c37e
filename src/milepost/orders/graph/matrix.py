"""Every edge of the lifecycle in one table: from the state of a row to the state of a column."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from milepost.orders.graph.phases import EVERY_STATE, PHASES
from milepost.orders.graph.strokes import Box, Point, rect, text
from milepost.orders.lifecycle import EDGES, MAIN_LINE, EdgeClass, State, allowed_next

_CELL_W, _CELL_H, _NAMES_W = 31, 23, 196
_X, _Y = 24 + _NAMES_W, 202
_W, _H = _CELL_W * len(EVERY_STATE), _CELL_H * len(EVERY_STATE)
MATRIX_HEIGHT = _Y + _H + 30

_STEPS = frozenset(pairwise(MAIN_LINE))
_SQUARE, _DIAMOND = "h14v10h-14z", "l7-6 7 6-7 6z"


def matrix() -> list[str]:
    """The table's elements, its top left corner at the origin."""
    return [*_head(), *_names(), *_rules(), *(_row(state) for state in EVERY_STATE)]


def _head() -> list[str]:
    normal = sum(edge.edge_class is EdgeClass.NORMAL for edge in EDGES.values())
    drawn = [
        text(24, 22, "Every edge", css="title"),
        text(24, 44, "From the state of a row to the state of a column.", css="note"),
    ]
    x = 352.0
    for path, css, told in (
        (f"M0 -5{_SQUARE}", "step", "the next step of the main line"),
        (f"M0 -5{_SQUARE}", "edge", f"any update ({normal} with those steps)"),
        (f"M0 0{_DIAMOND}", "mend", f"correction only ({len(EDGES) - normal})"),
    ):
        drawn.append(f'<path d="{path}" transform="translate({x:g} 40)" class="{css}"/>')
        drawn.append(text(x + 21, 44, told, css="note"))
        x += 21 + 6.4 * len(told) + 24
    return drawn


def _names() -> list[str]:
    drawn = []
    for i, state in enumerate(EVERY_STATE):
        x, y = _X + _CELL_W * (i + 0.5), _Y + _CELL_H * i
        if i % 2 == 0:
            drawn.append(rect(Box(24, y, _NAMES_W + _W, _CELL_H), css="band", radius=0))
        drawn.append(text(_X - 12, y + 15.5, state, css="cell", extra=' text-anchor="end"'))
        turned = f' transform="rotate(-70 {x:g} {_Y - 10})"'
        drawn.append(text(x + 2, _Y - 8, state, css="cell", extra=turned))
    return drawn


def _rules() -> list[str]:
    drawn, count = [], 0
    for states in (*PHASES.values(), ()):
        x, y = _X + _CELL_W * count, _Y + _CELL_H * count
        drawn.append(f'<path d="M{x} {_Y - 4}V{_Y + _H}M24 {y}H{_X + _W}" class="rule"/>')
        count += len(states)
    return drawn


def _row(state: State) -> str:
    """A square for each normal edge, a hollow diamond for each correction, a dot for itself."""
    normal = allowed_next(state)
    corrections = tuple(t for t in allowed_next(state, correction=True) if t not in normal)
    ((x, y),) = _cells(state, (state,))
    drawn = f'<circle cx="{x:g}" cy="{y:g}" r="1.8" class="self"/>'
    for css, shape, up, targets in (
        ("step", _SQUARE, 5, tuple(t for t in normal if (state, t) in _STEPS)),
        ("edge", _SQUARE, 5, tuple(t for t in normal if (state, t) not in _STEPS)),
        ("mend", _DIAMOND, 0, corrections),
    ):
        if targets:
            path = "".join(f"M{cx - 7:g} {cy - up:g}{shape}" for cx, cy in _cells(state, targets))
            drawn += f'<path d="{path}" class="{css}"/>'
    told = f"{state}: {', '.join(normal) or 'nothing'}"
    if corrections:
        told += f"; by correction {', '.join(corrections)}"
    return f"<g><title>{told}</title>{drawn}</g>"


def _cells(state: State, targets: Iterable[State]) -> list[Point]:
    y = _Y + _CELL_H * (EVERY_STATE.index(state) + 0.5)
    return [(_X + _CELL_W * (EVERY_STATE.index(target) + 0.5), y) for target in targets]
