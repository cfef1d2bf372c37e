"""The order's life in Withings' words, drawn: as a picture, as a chart, and as a table.

All of it is rendered from the words' own sequences, so that what is shown is what holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from milepost.contracts.withings.arrows import (
    ARROWS,
    BOTTOM,
    CANCELLABLE,
    FRAMES,
    GROUPS,
    MOVING,
    NODES,
    OPEN_ENDED,
    PANELS,
    WIDTH,
    Arrow,
)
from milepost.contracts.withings.payloads import BY_PARCEL_STATUS, BY_STATUS, PENDING, SHIPPED
from milepost.contracts.withings.sequences import (
    BEFORE_SHIPPING,
    DRAWN,
    STEPS,
    UNDELIVERED,
    UNDERWAY,
    WORDS,
    Origin,
    Step,
)
from milepost.orders.graph.strokes import STYLE, Box, line, rect, text

_LOOKS = MappingProxyType(
    {"delivered": "well", "expired": "soft", "return": "soft", "TRASHED": "over"}
)
_MAIN = ("VERIFIED", "PROCESSING", "OPEN", SHIPPED, PENDING, "info_received", "in_transit")
_CARE = ("ADDRESS ERROR", "FAILED", "BACKHOLD", "failed_attempt", "exception")

_EXTRA = """\
.arrow.published{stroke-width:2.6}
.arrow.inferred{stroke-dasharray:6 4}
.arrow.published{stroke:#0969da}
.tip.published,.published.mark{fill:#0969da}
.arrow.inferred{stroke:#8250df}
.tip.inferred{fill:#8250df}
.inferred.mark{fill:#c8a8f5}
.ours.mark{fill:#afb8c1}
.correction.mark{fill:none;stroke:#bc4c00;stroke-width:1.3}
@media (prefers-color-scheme:dark){
.arrow.published{stroke:#4493f8}
.tip.published,.published.mark{fill:#4493f8}
.arrow.inferred{stroke:#ab7df8}
.tip.inferred{fill:#ab7df8}
.inferred.mark{fill:#5b3c92}
.ours.mark{fill:#545d68}
.correction.mark{stroke:#f0883e}
}
</style>"""
_STYLE = STYLE.replace("</style>", _EXTRA)

_HEADS = "".join(
    f'<marker id="head-{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="{size}" '
    f'markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
    f'<path d="M0 .8L10 5 0 9.2z" class="tip {kind}"/></marker>'
    for kind, size in (("published", 12), ("inferred", 10))
)

_LEGEND: tuple[tuple[Origin, str], ...] = (
    (Origin.PUBLISHED, "published in words"),
    (Origin.INFERRED, "inferred from the words: the published picture is not to be had as text"),
)


def svg() -> str:
    """The picture as an SVG document: accessible, in light and dark, the same on every run."""
    height = BOTTOM + 36 + _MATRIX_HEIGHT
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img" aria-labelledby="title desc">'
        ),
        '<title id="title">The life of an order in Withings’ words</title>',
        (
            f'<desc id="desc">The {len(BY_STATUS)} statuses and {len(BY_PARCEL_STATUS)} parcel '
            "statuses with the steps between them, those that are published told apart from those "
            "that are inferred; below it a table marks every step that Milepost can send.</desc>"
        ),
        _STYLE,
        f"<defs>{_HEADS}</defs>",
        rect(Box(0, 0, WIDTH, height), css="sheet", radius=10),
        text(24, 46, "The life of an order in Withings’ words", css="title"),
        text(
            24,
            68,
            "Every word is published. An arrow at a dotted frame holds for every word inside.",
            css="note",
        ),
        *_legend(),
        *(rect(panel, css="panel", radius=10) for panel in PANELS.values()),
        *(text(p.x + 16, p.y + 26, name, css="head") for name, p in PANELS.items()),
        *(rect(frame, css="frame", radius=12) for frame, _ in FRAMES.values()),
        *(
            text(f.x + f.width - 14, f.y + 17, told, css="note", extra=' text-anchor="end"')
            for f, told in FRAMES.values()
            if told
        ),
        *(_arrow(arrow) for arrow in ARROWS),
        *(_node(word, NODES[word]) for word in WORDS),
        f'<g transform="translate(0 {BOTTOM + 36:g})">',
        *_matrix(),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend() -> list[str]:
    drawn, x = [], 24.0
    for origin, told in _LEGEND:
        drawn.append(
            f'<path d="M{x:g} 96H{x + 38:g}" class="arrow {origin}" '
            f'marker-end="url(#head-{origin})"/>'
        )
        drawn.append(text(x + 48, 100.5, told, css="note"))
        x += 48 + 6.3 * len(told) + 28
    return drawn


def _arrow(arrow: Arrow) -> str:
    heads = f'marker-end="url(#head-{arrow.origin})"'
    if arrow.both:
        heads += f' marker-start="url(#head-{arrow.origin})"'
    return f'<path d="{line(arrow.corners)}" class="arrow {arrow.origin}" {heads}/>'


def _look(word: str) -> str:
    if word in _LOOKS:
        return _LOOKS[word]
    return "main" if word in _MAIN else "care" if word in _CARE else "side"


def _node(word: str, box: Box) -> str:
    look = _look(word)
    after = [step.after for step in DRAWN.values() if step.before == word]
    told = f"{word}: then {', '.join(after)}" if after else f"{word}: nothing follows"
    return (
        f"<g><title>{told}</title>"
        + rect(box, css=f"node {look}", radius=17 if word in _LOOKS else 7)
        + text(box.x + box.width / 2, box.y + box.height / 2 + 4.5, word, css=f"name on-{look}")
        + "</g>"
    )


# --- the table of all steps -----------------------------------------------------------------------

_CELL_W, _CELL_H, _NAMES_W = 42, 24, 190
_X, _Y = 24 + _NAMES_W, 196
_MATRIX_HEIGHT = _Y + _CELL_H * len(WORDS) + 28
_MARKS: Mapping[Origin, tuple[str, str]] = MappingProxyType(
    {
        Origin.PUBLISHED: ("M-7 -5h14v10h-14z", "published"),
        Origin.INFERRED: ("M-7 -5h14v10h-14z", "inferred"),
        Origin.OURS: ("M-3.5 -3.5h7v7h-7z", "ours: a step passed over, or a late scan"),
        Origin.CORRECTION: ("M-7 0l7 -6 7 6-7 6z", "ours: as a correction only"),
    }
)


def _matrix() -> list[str]:
    size = len(WORDS)
    drawn = [
        text(24, 22, "Every step that can be sent", css="title"),
        text(24, 44, "From the word of a row to the word of a column.", css="note"),
    ]
    x = 352.0
    for origin, (path, told) in _MARKS.items():
        drawn.append(f'<path d="{path}" transform="translate({x:g} 40)" class="{origin} mark"/>')
        drawn.append(text(x + 14, 44, told, css="note"))
        x += 14 + 6.3 * len(told) + 26
    for i, word in enumerate(WORDS):
        y, column = _Y + _CELL_H * i, _X + _CELL_W * (i + 0.5)
        if i % 2 == 0:
            band = Box(24, y, _NAMES_W + _CELL_W * size, _CELL_H)
            drawn.append(rect(band, css="band", radius=0))
        drawn.append(text(_X - 12, y + 16, word, css="cell", extra=' text-anchor="end"'))
        turned = f' transform="rotate(-60 {column:g} {_Y - 10})"'
        drawn.append(text(column + 2, _Y - 8, word, css="cell", extra=turned))
    drawn += (_row(word) for word in WORDS)
    return drawn


def _row(word: str) -> str:
    told = [step for step in STEPS.values() if step.before == word]
    marks = "".join(
        f'<path d="{_MARKS[step.origin][0]}" class="{step.origin} mark" '
        f'transform="translate({_place(step)})"/>'
        for step in told
    )
    words = ", ".join(f"{step.after} ({step.origin})" for step in told) or "nothing"
    return f"<g><title>{word}: {words}</title>{marks}</g>"


def _place(step: Step) -> str:
    x = _X + _CELL_W * (WORDS.index(step.after) + 0.5)
    y = _Y + _CELL_H * (WORDS.index(step.before) + 0.5)
    return f"{x:g} {y:g}"


# --- as text --------------------------------------------------------------------------------------

_STROKES = MappingProxyType(
    {
        Origin.PUBLISHED: "==>",
        Origin.INFERRED: "-.->",
        Origin.OURS: "-->",
        Origin.CORRECTION: "--x",
    }
)


def mermaid(*, full: bool = False) -> str:
    """A Mermaid flowchart: the arrows of the picture, or every step when it is to be full.

    Published steps are thick and inferred ones dashed; of a full chart, ours are thin, and those
    that only a correction may take end in a cross.
    """
    rest = [w for w in BY_PARCEL_STATUS if w not in UNDERWAY and w not in UNDELIVERED]
    lines = [
        "flowchart TB",
        '  subgraph before["status"]',
        f'    subgraph {CANCELLABLE}[" "]',
        *_named(BEFORE_SHIPPING, indent=6),
        "    end",
        *_named((w for w in BY_STATUS if w not in BEFORE_SHIPPING), indent=4),
        "  end",
        '  subgraph once_shipped["parcel_status"]',
        f'    subgraph {OPEN_ENDED}["not delivered"]',
        *_named((PENDING, "info_received"), indent=6),
        f'      subgraph {MOVING}["on its way, in any order"]',
        *_named(UNDERWAY, indent=8),
        "      end",
        "    end",
        *_named(rest, indent=4),
        "  end",
        *(_every_step() if full else _essential()),
    ]
    return "\n".join(lines) + "\n"


def _essential() -> list[str]:
    return [
        f"  {_name(a.before)} {'<' * a.both}{_STROKES[a.origin]} {_name(a.after)}" for a in ARROWS
    ]


def _every_step() -> list[str]:
    return [
        f"  {_name(step.before)} {_STROKES[step.origin]} {_name(step.after)}"
        for step in STEPS.values()
    ]


def _named(words: Iterable[str], *, indent: int) -> list[str]:
    return [f"{' ' * indent}{_name(word)}[{word}]" for word in words]


def _name(word: str) -> str:
    """A name that Mermaid takes: a word may be one of its own, or have a space in it."""
    return word if word in GROUPS else f"w_{word.replace(' ', '_')}"


def steps_table() -> str:
    """The published and the inferred steps with why they are there, in Markdown."""
    lines = ["| from | to | known | why |", "| --- | --- | --- | --- |"]
    by_why: dict[tuple[str, Origin, str], list[str]] = {}
    for word in WORDS:
        for step in DRAWN.values():
            if step.before == word:
                by_why.setdefault((word, step.origin, step.why), []).append(f"`{step.after}`")
    lines += [
        f"| `{before}` | {', '.join(after)} | {origin} | {why} |"
        for (before, origin, why), after in by_why.items()
    ]
    return "\n".join(lines)
