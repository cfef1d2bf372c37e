"""The lifecycle drawn: an SVG of the main line, the side states and the ends, and all edges below.

The colors follow the reader's choice of light or dark, and nothing is fetched from anywhere.
"""

from __future__ import annotations

from milepost.orders.graph.arrows import (
    ARROWS,
    BOTTOM,
    FRAMES,
    MAIN,
    PANELS,
    STATES,
    WIDTH,
    Arrow,
    points,
)
from milepost.orders.graph.matrix import MATRIX_HEIGHT, matrix
from milepost.orders.graph.phases import EVERY_STATE, MEANING, PHASES
from milepost.orders.graph.strokes import HEADS, STYLE, Box, line, rect, text
from milepost.orders.lifecycle import ENDS, HARD_ENDS, MAIN_LINE, NEEDS_ATTENTION, State

S = State


def _look(state: State) -> str:
    looks = (
        (HARD_ENDS, "over"),
        (frozenset((S.DELIVERED,)), "well"),
        (ENDS, "soft"),
        (frozenset(MAIN_LINE), "main"),
        (NEEDS_ATTENTION, "care"),
    )
    return next((look for states, look in looks if state in states), "side")


def _node(state: State, box: Box) -> str:
    x, y = box.x + box.width / 2, box.y + box.height / 2 + 4.5
    return (
        f"<g><title>{state}: {MEANING[state]}</title>"
        + rect(box, css=f"node {_look(state)}", radius=17 if state in ENDS else 7)
        + text(x, y, state, css=f"name on-{_look(state)}")
        + "</g>"
    )


def _arrow(arrow: Arrow) -> str:
    kind = "main" if arrow in MAIN else arrow.edge_class.value
    way = points(arrow)
    heads = f'marker-end="url(#head-{kind})"'
    if arrow.both:
        heads += f' marker-start="url(#head-{kind})"'
    drawn = f'<path d="{line(way)}" class="arrow {kind}" {heads}/>'
    if arrow.label:
        (x, y), (x2, y2) = way[0], way[-1]
        across = y == y2
        place = ((x + x2) / 2, y - 6) if across else (x + 8, (y + y2) / 2 + 4)
        middle = ' text-anchor="middle"' if across else ""
        drawn += text(*place, arrow.label, css="note", extra=middle)
    return drawn


def _legend() -> list[str]:
    drawn: list[str] = []
    x = 24.0
    for look, told in (
        ("main", "main line"),
        ("side", "beside it"),
        ("care", "needs attention"),
        ("well", "delivered"),
        ("soft", "end that a late scan reopens"),
        ("over", "end for good"),
    ):
        radius = 8 if look in ("well", "soft", "over") else 4
        drawn.append(rect(Box(x, 84, 26, 16), css=f"node {look}", radius=radius))
        drawn.append(text(x + 33, 96.5, told, css="note"))
        x += 33 + 6.2 * len(told) + 24
    for kind, told in (
        ("normal", "any update"),
        ("correction", "correction only"),
    ):
        drawn.append(
            f'<path d="M{x:g} 92H{x + 34:g}" class="arrow {kind}" marker-end="url(#head-{kind})"/>'
        )
        drawn.append(text(x + 43, 96.5, told, css="note"))
        x += 43 + 6.2 * len(told) + 24
    return drawn


def svg() -> str:
    """The picture as an SVG document: accessible, in light and dark, the same on every run."""
    height = BOTTOM + 40 + MATRIX_HEIGHT
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img" aria-labelledby="title desc">'
        ),
        '<title id="title">The life of an order</title>',
        (
            f'<desc id="desc">The {len(State)} states by phase with the main line from created to '
            "delivered, the side states, the ends and the most important arrows; below it a table "
            "marks every legal edge, and which of them need a correction.</desc>"
        ),
        STYLE,
        f"<defs>{HEADS}</defs>",
        rect(Box(0, 0, WIDTH, height), css="sheet", radius=10),
        text(24, 46, "The life of an order", css="title"),
        text(
            24,
            68,
            f"{len(State)} states in {len(PHASES)} phases. "
            "An arrow at a dotted frame holds for every state inside.",
            css="note",
        ),
        *_legend(),
        *(rect(panel, css="panel", radius=10) for panel in PANELS.values()),
        *(text(p.x + 16, p.y + 26, name, css="head") for name, p in PANELS.items()),
        *(rect(frame, css="frame", radius=12) for frame, _ in FRAMES.values()),
        *(
            text(f.x + f.width - 14, f.y + 19, told, css="note", extra=' text-anchor="end"')
            for f, told in FRAMES.values()
            if told
        ),
        *(_arrow(arrow) for arrow in reversed(ARROWS)),
        *(_node(state, STATES[state]) for state in EVERY_STATE),
        f'<g transform="translate(0 {BOTTOM + 40:g})">',
        *matrix(),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
