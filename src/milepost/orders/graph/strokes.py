"""What the picture of the lifecycle is drawn with: boxes, lines, words, and colors by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

Point = tuple[float, float]


class Box(msgspec.Struct, frozen=True):
    """A rectangle of the picture."""

    x: float
    y: float
    width: float
    height: float

    def anchor(self, side: str, shift: float) -> Point:
        """The middle of a side, moved along it."""
        across, along = self.x + self.width / 2 + shift, self.y + self.height / 2 + shift
        return {
            "left": (self.x, along),
            "right": (self.x + self.width, along),
            "top": (across, self.y),
            "bottom": (across, self.y + self.height),
        }[side]


def _toward(here: Point, there: Point, *, by: float) -> Point:
    length = abs(there[0] - here[0]) + abs(there[1] - here[1])
    part = min(by, length / 2) / length if length else 0
    return here[0] + (there[0] - here[0]) * part, here[1] + (there[1] - here[1]) * part


def line(points: Sequence[Point]) -> str:
    """A path through the points with rounded corners."""
    parts = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        a, b = _toward(corner, before, by=8), _toward(corner, after, by=8)
        parts.append(f"L{a[0]:g} {a[1]:g}Q{corner[0]:g} {corner[1]:g} {b[0]:g} {b[1]:g}")
    parts.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(parts)


def text(x: float, y: float, words: str, *, css: str, extra: str = "") -> str:
    """Words of ours: they need no escaping."""
    return f'<text x="{x:g}" y="{y:g}" class="{css}"{extra}>{words}</text>'


def rect(box: Box, *, css: str, radius: float) -> str:
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" '
        f'rx="{radius:g}" class="{css}"/>'
    )


_LIGHT = {
    ".sheet": "fill:#fff",
    ".panel": "fill:#f6f8fa;stroke:#d8dee4",
    ".frame": "fill:none;stroke:#8c959f;stroke-dasharray:2 4",
    ".head,.title,.name,.cell": "fill:#1f2328",
    ".note": "fill:#59636e",
    ".node.main": "fill:#ddf4ff;stroke:#0969da",
    ".node.side": "fill:#fff;stroke:#8c959f",
    ".node.care": "fill:#fff8c5;stroke:#bf8700",
    ".node.well": "fill:#dafbe1;stroke:#1a7f37",
    ".node.soft": "fill:#fff;stroke:#59636e",
    ".node.over": "fill:#424a53;stroke:#424a53",
    ".on-over": "fill:#fff",
    ".arrow.normal": "stroke:#6e7781",
    ".tip.normal": "fill:#6e7781",
    ".arrow.main": "stroke:#0969da",
    ".tip.main,.step": "fill:#0969da",
    ".edge": "fill:#8cbbea",
    ".arrow.correction,.mend": "stroke:#bc4c00",
    ".tip.correction": "fill:#bc4c00",
    ".self": "fill:#afb8c1",
    ".band": "fill:#f6f8fa",
    ".rule": "stroke:#d0d7de",
}
_DARK = {
    ".sheet": "fill:#0d1117",
    ".panel": "fill:#151b23;stroke:#3d444d",
    ".frame": "stroke:#7d8590",
    ".head,.title,.name,.cell": "fill:#f0f6fc",
    ".note": "fill:#9198a1",
    ".node.main": "fill:#0c2d6b;stroke:#4493f8",
    ".node.side": "fill:#0d1117;stroke:#7d8590",
    ".node.care": "fill:#3b2300;stroke:#d29922",
    ".node.well": "fill:#04260f;stroke:#3fb950",
    ".node.soft": "fill:#0d1117;stroke:#b1bac4",
    ".node.over": "fill:#c9d1d9;stroke:#c9d1d9",
    ".on-over": "fill:#0d1117",
    ".arrow.normal": "stroke:#8b949e",
    ".tip.normal": "fill:#8b949e",
    ".arrow.main": "stroke:#4493f8",
    ".tip.main,.step": "fill:#4493f8",
    ".edge": "fill:#28538f",
    ".arrow.correction,.mend": "stroke:#f0883e",
    ".tip.correction": "fill:#f0883e",
    ".self": "fill:#545d68",
    ".band": "fill:#151b23",
    ".rule": "stroke:#3d444d",
}
_SHAPE = """\
text{font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
.name,.cell{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.title{font-size:22px;font-weight:600}
.head{font-size:14px;font-weight:600}
.note{font-size:12.5px}
.name{font-size:12.5px;text-anchor:middle}
.cell{font-size:11.5px}
.node{stroke-width:1.4}
.arrow{fill:none;stroke-width:1.4}
.arrow.main{stroke-width:2.6}
.arrow.correction{stroke-dasharray:5 4}
.mend{fill:none;stroke-width:1.4}
.rule{fill:none}"""


def _rules(colors: Mapping[str, str]) -> str:
    return "\n".join(f"{names}{{{what}}}" for names, what in colors.items())


STYLE = (
    f"<style>\n{_SHAPE}\n{_rules(_LIGHT)}\n"
    f"@media (prefers-color-scheme:dark){{\n{_rules(_DARK)}\n}}\n</style>"
)
"""The style sheet: light, and dark where the reader asked for dark."""

HEADS = "".join(
    f'<marker id="head-{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="{size}" '
    f'markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
    f'<path d="M0 .8L10 5 0 9.2z" class="tip {kind}"/></marker>'
    for kind, size in (("main", 12), ("normal", 9), ("correction", 9))
)
"""The heads of arrows, by the kind of arrow."""
